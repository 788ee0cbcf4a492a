// A sentence to the reader that may quote anyone's text: shown as text, never parsed.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  const notice = document.createElement('div');
  notice.className = `notice ${data.kind}`;
  notice.setAttribute('role', data.kind === 'error' ? 'alert' : 'status');
  const dot = document.createElement('span');
  dot.className = 'dot';
  const words = document.createElement('div');
  for (const [name, text] of [['body', data.text], ['step', data.step]]) {
    if (!text) continue;
    const line = document.createElement('div');
    line.className = name;
    line.textContent = text;
    words.append(line);
  }
  notice.append(dot, words);
  root.replaceChildren(notice);
}
