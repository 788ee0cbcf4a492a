// Previous, next and random atom, the atom's number to be typed, and the keys ← → anywhere on the page but where they
// mean something else.
const PAUSE = 90; // milliseconds: of steps quicker than that only the first and the last are asked for
const TAKEN = 'input, textarea, select, [contenteditable="true"], [role="slider"], [role="radiogroup"], [role="tablist"], [role="listbox"], [role="grid"], [role="dialog"], [data-testid="stDataFrame"], [data-testid="stButtonGroup"]';

const taken = event => event.composedPath().some(node => node instanceof Element && node.matches(TAKEN));

// Built once: what is drawn anew for each answer would lose a click, a mark or digits that are under way meanwhile.
function build(root) {
  const button = (name, text, title, key) => {
    const made = element('button', name, text);
    made.type = 'button';
    made.title = title;
    if (key) {
      made.setAttribute('aria-label', title);
      made.setAttribute('aria-keyshortcuts', key);
    }
    return made;
  };
  const back = button('step', '‹', 'Previous atom (key ←)', 'ArrowLeft');
  const next = button('step', '›', 'Next atom (key →)', 'ArrowRight');
  const random = button('random', 'Random', 'An atom drawn at random');
  const field = element('input', 'number'), count = element('span', 'muted');
  count.setAttribute('aria-live', 'polite');
  field.type = 'text';
  field.inputMode = 'numeric';
  root.replaceChildren(back, element('span', 'muted', 'Atom'), field, count, next, random);
  return { back, next, random, field, count };
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const way = underway(root, data.answered, step => setTriggerValue('pick', step), step => step.atom === data.atom);
  if (way.choice() && way.choice().atom >= data.count) way.forget();
  let at = way.choice() ? way.choice().atom : data.atom;
  const { back, next, random, field, count } = root.parts ??= build(root);
  const give = () => {
    const marked = root.getRootNode().activeElement === field && field.value && field.selectionStart === 0 && field.selectionEnd === field.value.length;
    field.value = field.dataset.given = String(at);
    if (marked) field.select(); // it is to be typed over
  };
  const show = () => {
    back.disabled = at < 1;
    next.disabled = at + 1 >= data.count;
  };
  const go = (atom, delay) => {
    if (!Number.isInteger(atom)) return;
    at = Math.min(Math.max(atom, 0), data.count - 1);
    give();
    show();
    way.choose({ atom: at }, delay);
  };
  back.onclick = () => go(at - 1, PAUSE);
  next.onclick = () => go(at + 1, PAUSE);
  random.onclick = () => go(data.random.length ? data.random[Math.floor(Math.random() * data.random.length)] : Math.floor(Math.random() * data.count), 0);
  const typed = () => {
    const digits = field.value.replace(/[,\s]/g, '');
    if (/^\d+$/.test(digits) && Number(digits) < data.count) { go(Number(digits), 0); return; }
    give();
    count.textContent = `of ${data.count.toLocaleString('en')}: type a number from 0 to ${(data.count - 1).toLocaleString('en')}`;
  };
  field.onkeydown = event => {
    if (event.key !== 'Enter') return;
    typed();
    field.select();
  };
  field.onblur = () => { if (field.value !== field.dataset.given) typed(); }; // as every other field
  if (field.dataset.given === undefined || field.value === field.dataset.given) give(); // else digits are being typed
  field.size = String(data.count).length;
  field.setAttribute('aria-label', `Number of the atom, 0 to ${data.count - 1}`);
  count.textContent = `of ${data.count.toLocaleString('en')}`;
  show();

  const deaf = hearKeys(root, event => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || event.shiftKey || taken(event)) return;
    event.preventDefault();
    go(at + by, PAUSE);
  });
  way.goOn(PAUSE);
  return () => { way.stop(); deaf(); };
}
