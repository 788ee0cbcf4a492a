// Lists atoms with their source contexts, aligned at the source token. textContent only: hostile text stays text.
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

function drawKwic(use) {
  const kwic = element('div', 'kwic');
  const before = element('span', 'before');
  before.append(element('bdi', '', use.before));
  kwic.append(before, element('bdi', 'hit', use.token), element('bdi', 'after', use.after));
  if (use.further?.length) {
    const count = element('span', 'count', `+${use.further.length}`);
    count.title = `the mean of ${use.further.length + 1} activations`;
    kwic.append(count);
  }
  return kwic;
}

function drawSigned(use, top) {
  const signed = element('div', 'signed');
  const track = element('span', 'track');
  const bar = element('span', 'bar');
  const width = 50 * Math.abs(use.coefficient) / top;
  bar.style.width = `${width}%`;
  bar.style.left = `${use.coefficient < 0 ? 50 - width : 50}%`;
  track.append(bar);
  signed.append(track, element('span', 'num', use.shown));
  return signed;
}

function drawMore(use, unpin) {
  const more = element('div', 'more');
  const passage = element('div', 'passage');
  passage.append(element('bdi', '', use.full_before), element('bdi', 'hit', use.token), element('bdi', '', use.full_after));
  const facts = element('div', 'facts');
  use.facts.forEach(fact => facts.append(element('span', '', fact)));
  const off = element('button', 'unpin', 'Unpin');
  off.type = 'button';
  off.onclick = event => { event.stopPropagation(); unpin(); };
  facts.append(off);
  more.append(passage);
  if (use.further.length) {
    const further = element('div', 'further');
    further.append(element('p', '', `This atom is the mean of ${use.further.length + 1} activations. The others:`));
    use.further.forEach(label => further.append(drawKwic(label)));
    more.append(further);
  }
  more.append(facts);
  more.onclick = event => event.stopPropagation();
  return more;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const hadFocus = root.contains(root.getRootNode().activeElement);
  const list = element('div', 'list');
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', data.label);
  const head = element('div', 'head');
  [['', '#'], ['', data.heading], ['num', 'coefficient'], ['num', 'share'], ['num', 'atom']].forEach(([c, t]) => head.append(element('span', c, t)));
  list.append(head);
  const rows = [];
  const pick = atom => setTriggerValue('pick', { atom, at: Date.now() });

  data.atoms.forEach((use, i) => {
    const pinned = use.atom === data.pinned;
    const row = element('div', use.coefficient < 0 ? 'atom negative' : 'atom');
    row.setAttribute('role', 'option');
    row.setAttribute('aria-selected', String(pinned));
    row.setAttribute('aria-label', `atom ${use.atom}, from token ${use.token}, coefficient ${use.shown}`);
    row.dataset.atom = use.atom;
    row.tabIndex = pinned || (i === 0 && !data.atoms.some(u => u.atom === data.pinned)) ? 0 : -1;
    row.append(element('span', 'rank', String(i + 1)), drawKwic(use), drawSigned(use, data.top),
      element('span', 'num', use.share), element('span', 'num id', String(use.atom)));
    if (pinned) row.append(drawMore(use, () => pick(null)));
    const choose = () => pick(pinned ? null : use.atom);
    row.onclick = choose;
    row.onkeydown = event => {
      if (event.target !== row) return;
      const to = { ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: rows.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); rows[to]?.focus(); }
      else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); choose(); }
    };
    rows.push(row);
    list.append(row);
  });
  if (!rows.length) list.append(element('div', 'empty', data.empty));
  const title = element('h3', 'title', data.title);
  if (data.name) title.append(element('bdi', '', data.name));
  root.replaceChildren(title, list);
  if (hadFocus) rows.find(r => r.getAttribute('aria-selected') === 'true')?.focus({ preventScroll: true });
}
