// Names and values side by side. textContent only: hostile text stays text.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  const parts = [];
  if (data.title) {
    const title = document.createElement('h3');
    title.className = 'title';
    title.textContent = data.title;
    parts.push(title);
  }
  const facts = document.createElement('dl');
  facts.className = 'facts';
  data.facts.forEach(([name, value]) => {
    const term = document.createElement('dt');
    term.textContent = name;
    const words = document.createElement('dd');
    words.textContent = value;
    facts.append(term, words);
  });
  root.replaceChildren(...parts, facts);
}
