// A heading that is anyone's text. textContent only: hostile text stays text.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  const name = document.createElement('h2');
  name.className = 'name';
  name.textContent = data.name;
  const under = document.createElement('div');
  under.className = 'under';
  under.textContent = data.under;
  root.replaceChildren(name, under);
}
