// Previous, next and random atom, the atom's number to be typed, and the keys ← → anywhere on the page but where they
// mean something else.
const PAUSE = 90; // milliseconds: of steps quicker than that only the first and the last are asked for
const TAKEN = 'input, textarea, select, [contenteditable="true"], [role="slider"], [role="radiogroup"], [role="tablist"], [role="listbox"], [role="grid"], [role="dialog"], [data-testid="stDataFrame"], [data-testid="stButtonGroup"]';

const taken = event => event.composedPath().some(node => node instanceof Element && node.matches(TAKEN));

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const way = underway(root, data.answered, step => setTriggerValue('pick', step), step => step.atom === data.atom);
  if (way.choice() && way.choice().atom >= data.count) way.forget();
  let at = way.choice() ? way.choice().atom : data.atom;
  // An answer that comes while one types takes neither the digits nor the place among them, nor what was marked to be
  // typed over.
  const old = root.querySelector('input.number');
  const focused = [...root.children].indexOf(root.getRootNode().activeElement);
  const typed = old && old.value !== old.dataset.given ? [old.value, old.selectionStart, old.selectionEnd] : null;
  const marked = old && old.value && old.selectionStart === 0 && old.selectionEnd === old.value.length;
  const field = element('input', 'number');
  const give = () => { field.value = field.dataset.given = String(at); };
  const go = (atom, delay) => {
    if (!Number.isInteger(atom)) return;
    at = Math.min(Math.max(atom, 0), data.count - 1);
    give();
    way.choose({ atom: at }, delay);
  };
  const step = (text, key, by) => {
    const button = element('button', 'step', text);
    button.type = 'button';
    button.title = `${by < 0 ? 'Previous' : 'Next'} atom (key ${key})`;
    button.setAttribute('aria-label', button.title);
    button.setAttribute('aria-keyshortcuts', by < 0 ? 'ArrowLeft' : 'ArrowRight');
    button.disabled = at + by < 0 || at + by >= data.count;
    button.onclick = () => go(at + by, PAUSE);
    return button;
  };
  field.type = 'text';
  field.inputMode = 'numeric';
  give();
  field.size = String(data.count).length;
  field.setAttribute('aria-label', `Number of the atom, 0 to ${data.count - 1}`);
  field.onkeydown = event => {
    if (event.key !== 'Enter') return;
    const asked = Number(field.value.replace(/[,\s]/g, '') || NaN);
    if (Number.isInteger(asked) && asked >= 0 && asked < data.count) go(asked, 0);
    else { give(); field.select(); }
  };
  const random = element('button', 'random', 'Random');
  random.type = 'button';
  random.title = 'An atom drawn at random';
  random.onclick = () => go(data.random.length ? data.random[Math.floor(Math.random() * data.random.length)] : Math.floor(Math.random() * data.count), 0);
  root.replaceChildren(step('‹', '←', -1), element('span', 'muted', 'Atom'), field, element('span', 'muted', `of ${data.count.toLocaleString('en')}`), step('›', '→', 1), random);
  if (typed) field.value = typed[0];
  root.children[focused]?.focus({ preventScroll: true });
  if (root.children[focused] === field && marked) field.select();
  else if (root.children[focused] === field && typed) field.setSelectionRange(typed[1], typed[2]);

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
  way.goOn(PAUSE);
  return () => { way.stop(); page.removeEventListener('keydown', pressed); };
}
