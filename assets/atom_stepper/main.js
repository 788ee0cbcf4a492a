// Previous, next and random atom, the atom's number to be typed, and the keys ← → anywhere on the page but where they
// mean something else.
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const PAUSE = 90; // milliseconds: of several quick steps only the last one is asked for
const TAKEN = 'input, textarea, select, [contenteditable="true"], [role="slider"], [role="radiogroup"], [role="tablist"], [role="listbox"], [role="grid"], [role="dialog"], [data-testid="stDataFrame"], [data-testid="stButtonGroup"]';

const taken = event => event.composedPath().some(node => node instanceof Element && node.matches(TAKEN));

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  let at = data.atom;
  let waiting = null;
  const field = element('input', 'number');
  const go = (atom, delay) => {
    if (!Number.isInteger(atom)) return;
    at = Math.min(Math.max(atom, 0), data.count - 1);
    field.value = at;
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (at !== data.atom) setTriggerValue('pick', { atom: at, at: Date.now() }); }, delay);
  };
  const step = (text, key, by) => {
    const button = element('button', 'step', text);
    button.type = 'button';
    button.title = `${by < 0 ? 'Previous' : 'Next'} atom (key ${key})`;
    button.setAttribute('aria-label', button.title);
    button.setAttribute('aria-keyshortcuts', by < 0 ? 'ArrowLeft' : 'ArrowRight');
    button.disabled = data.atom + by < 0 || data.atom + by >= data.count;
    button.onclick = () => go(at + by, PAUSE);
    return button;
  };
  field.type = 'text';
  field.inputMode = 'numeric';
  field.value = data.atom;
  field.size = String(data.count).length;
  field.setAttribute('aria-label', `Number of the atom, 0 to ${data.count - 1}`);
  field.onkeydown = event => {
    if (event.key !== 'Enter') return;
    const asked = Number(field.value.replace(/[,\s]/g, '') || NaN);
    if (Number.isInteger(asked) && asked >= 0 && asked < data.count) go(asked, 0);
    else { field.value = at; field.select(); }
  };
  const random = element('button', 'random', 'Random');
  random.type = 'button';
  random.title = 'An atom drawn at random';
  random.onclick = () => go(data.random.length ? data.random[Math.floor(Math.random() * data.random.length)] : Math.floor(Math.random() * data.count), 0);
  root.replaceChildren(step('‹', '←', -1), element('span', 'muted', 'Atom'), field, element('span', 'muted', `of ${data.count.toLocaleString('en')}`), step('›', '→', 1), random);

  const pressed = event => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || event.shiftKey || taken(event)) return;
    event.preventDefault();
    go(at + by, PAUSE);
  };
  const page = root.ownerDocument;
  if (root.pressed) page.removeEventListener('keydown', root.pressed);
  root.pressed = pressed;
  page.addEventListener('keydown', pressed);
  return () => { clearTimeout(waiting); page.removeEventListener('keydown', pressed); };
}
