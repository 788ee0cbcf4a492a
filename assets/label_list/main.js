// Tokens in their contexts, aligned at the token. textContent only: hostile text stays text.
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  const list = element('div', 'list');
  list.setAttribute('role', 'list');
  data.labels.forEach(label => {
    const row = element('div', 'label');
    row.setAttribute('role', 'listitem');
    const before = element('span', 'before');
    before.append(element('bdi', '', label.before));
    row.append(before, element('bdi', 'hit', label.token), element('bdi', 'after', label.after));
    list.append(row);
  });
  if (!data.labels.length) list.append(element('div', 'empty', data.empty));
  root.replaceChildren(list);
}
