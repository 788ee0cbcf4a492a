// Tokens as running text, underlined where something was done to them: put in place as text, never parsed.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  const line = element('div', 'marked');
  line.setAttribute('role', 'group');
  line.setAttribute('aria-label', data.label);
  for (const [text, kind, tip] of data.tokens) {
    const piece = element(kind === 'mark' ? 'mark' : 'bdi', kind, text);
    if (tip) piece.title = tip;
    line.append(piece);
  }
  root.replaceChildren(line);
}
