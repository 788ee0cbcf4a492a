// Names and values side by side. textContent only: hostile text stays text.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  const title = data.title ? [element('h3', 'title', data.title)] : [];
  const facts = element('dl', 'facts');
  data.facts.forEach(([name, value]) => facts.append(element('dt', '', name), element('dd', '', value)));
  root.replaceChildren(...title, facts);
}
