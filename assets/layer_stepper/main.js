// One prompt through the layers: a button per layer, and the keys [ and ] anywhere on the page but in a field.
// textContent only: names of dictionaries stay text.
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const PAUSE = 140; // milliseconds: of several quick steps only the last one is asked for

function inField(event) {
  const target = event.composedPath()[0];
  return target instanceof Element && !!target.closest('input, textarea, select, [contenteditable="true"]');
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const active = root.getRootNode().activeElement;
  const hadFocus = root.contains(active);
  const steps = element('div', 'steps');
  steps.setAttribute('role', 'radiogroup');
  steps.setAttribute('aria-label', data.label);
  // Where the visitor is on the way to, over every answer of the server until the one to the last step: an answer to an
  // earlier step would otherwise take the later ones back. {layer, id}; id is null until the step is sent.
  clearTimeout(root.waiting);
  root.sent ??= data.answered;
  if (root.going && root.going.id !== null && root.going.id === data.answered) root.going = null;
  const buttons = [];
  const place = of => data.layers.findIndex(of);
  let at = root.going ? place(layer => layer.layer === root.going.layer) : -1;
  if (at < 0) { root.going = null; at = place(layer => layer.chosen); }

  const send = () => {
    if (root.sent === data.answered && data.layers[at].chosen) { root.going = null; return; } // back where one was
    root.sent = root.going.id = `${Date.now()}-${Math.random()}`;
    setTriggerValue('pick', { layer: root.going.layer, at: root.going.id });
  };
  const choose = (to, delay) => {
    if (to < 0 || to >= buttons.length) return;
    if (to === at) return;
    at = to;
    root.going = { layer: data.layers[at].layer, id: null };
    buttons.forEach((button, i) => { button.setAttribute('aria-checked', String(i === at)); button.tabIndex = i === at ? 0 : -1; });
    arrows.forEach(([button, by]) => { button.disabled = !data.layers[at + by]; });
    clearTimeout(root.waiting);
    root.waiting = setTimeout(send, delay);
  };
  const arrows = [];
  const arrow = (text, key, by) => {
    const button = element('button', 'arrow', text);
    button.type = 'button';
    button.title = `${by < 0 ? 'Previous' : 'Next'} layer (key ${key})`;
    button.setAttribute('aria-label', button.title);
    button.setAttribute('aria-keyshortcuts', key);
    button.disabled = !data.layers[at + by];
    button.onclick = () => choose(at + by, PAUSE);
    arrows.push([button, by]);
    return button;
  };
  data.layers.forEach((layer, i) => {
    const button = element('button', 'layer', layer.text);
    button.type = 'button';
    button.setAttribute('role', 'radio');
    button.setAttribute('aria-checked', String(i === at));
    button.title = layer.name;
    button.dataset.layer = layer.layer;
    button.tabIndex = i === at ? 0 : -1;
    button.onclick = () => choose(i, 0);
    button.onkeydown = event => {
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(to, PAUSE);
      buttons[at].focus();
    };
    buttons.push(button);
    steps.append(button);
  });
  const keys = element('span', 'keys');
  keys.append(element('kbd', '', '['), element('kbd', '', ']'));
  root.replaceChildren(element('span', 'muted', data.title), arrow('‹', '[', -1), steps, arrow('›', ']', 1), keys);
  const chosen = buttons[at];
  if (chosen) steps.scrollLeft = chosen.offsetLeft - steps.offsetLeft - steps.clientWidth / 2;
  if (hadFocus) chosen?.focus({ preventScroll: true });

  const pressed = event => {
    if ((event.key !== '[' && event.key !== ']') || event.metaKey || inField(event)) return;
    if ((event.ctrlKey || event.altKey) && !event.getModifierState('AltGraph')) return;
    event.preventDefault();
    choose(at + (event.key === '[' ? -1 : 1), PAUSE);
  };
  const page = root.ownerDocument;
  if (root.pressed) page.removeEventListener('keydown', root.pressed);
  root.pressed = pressed;
  page.addEventListener('keydown', pressed);
  if (root.going && root.going.id === null) root.waiting = setTimeout(send, PAUSE); // a step that an answer overtook
  return () => { clearTimeout(root.waiting); page.removeEventListener('keydown', pressed); };
}
