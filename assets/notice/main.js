// A sentence to the reader that may quote anyone's text: shown as text, never parsed.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  const notice = element('div', `notice ${data.kind}`);
  notice.setAttribute('role', data.kind === 'error' ? 'alert' : 'status');
  const words = element('div');
  for (const [name, text] of [['body', data.text], ['step', data.step]]) {
    if (text) words.append(element('div', name, text));
  }
  notice.append(element('span', 'dot'), words);
  root.replaceChildren(notice);
}
