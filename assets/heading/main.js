// A heading that is anyone's text. textContent only: hostile text stays text.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  root.replaceChildren(element('h2', 'name', data.name), element('div', 'under', data.under));
}
