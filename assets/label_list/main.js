// Tokens in their contexts, aligned at the token. textContent only: hostile text stays text.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const hadFocus = root.contains(root.getRootNode().activeElement);
  const list = element('div', 'list');
  list.setAttribute('role', data.pickable ? 'listbox' : 'list');
  const rows = [];
  data.labels.forEach((label, i) => {
    const row = element('div', 'label');
    row.setAttribute('role', data.pickable ? 'option' : 'listitem');
    const before = element('span', 'before');
    before.append(element('bdi', '', label.before));
    row.append(before, element('bdi', 'hit', label.token), element('bdi', 'after', label.after));
    if (label.more) {
      const more = element('span', 'more', label.more);
      more.title = 'Further places of the same atom';
      row.append(more);
    }
    if (data.pickable) {
      const chosen = Boolean(label.full);
      const choose = () => setTriggerValue('pick', { label: chosen ? null : i, at: Date.now() });
      row.setAttribute('aria-selected', String(chosen));
      row.tabIndex = chosen || (i === 0 && !data.labels.some(other => other.full)) ? 0 : -1;
      row.onclick = choose;
      row.onkeydown = event => {
        const to = { ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: rows.length - 1 }[event.key];
        if (to !== undefined) { event.preventDefault(); rows[to]?.focus(); }
        else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); choose(); }
      };
    }
    if (label.full) {
      const passage = element('div', 'passage');
      const [earlier, token, later] = label.full;
      passage.append(element('bdi', '', earlier), element('bdi', 'hit', token), element('bdi', '', later));
      row.append(passage);
    }
    rows.push(row);
    list.append(row);
  });
  if (!data.labels.length) list.append(element('div', 'empty', data.empty));
  root.replaceChildren(list);
  if (hadFocus) rows.find(row => row.tabIndex === 0)?.focus({ preventScroll: true });
}
