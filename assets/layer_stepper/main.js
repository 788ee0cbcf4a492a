// One prompt through the layers: a button per layer, and the keys [ and ] anywhere on the page but in a field.
// textContent only: names of dictionaries stay text.
const PAUSE = 140; // milliseconds: of steps quicker than that only the first and the last are asked for

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
  const place = layer => data.layers.findIndex(one => one.layer === layer);
  const shown = data.layers.findIndex(layer => layer.chosen);
  const way = underway(root, data.answered, step => setTriggerValue('pick', step), step => place(step.layer) === shown);
  const buttons = [];
  let at = way.choice() ? place(way.choice().layer) : shown;
  if (at < 0) { way.forget(); at = shown; }

  const choose = (to, delay) => {
    if (to < 0 || to >= buttons.length) return;
    if (to === at) return;
    at = to;
    buttons.forEach((button, i) => { button.setAttribute('aria-checked', String(i === at)); button.tabIndex = i === at ? 0 : -1; });
    arrows.forEach(([button, by]) => { button.disabled = !data.layers[at + by]; });
    way.choose({ layer: data.layers[at].layer }, delay);
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

  const deaf = hearKeys(root, event => {
    if ((event.key !== '[' && event.key !== ']') || event.metaKey || inField(event)) return;
    if ((event.ctrlKey || event.altKey) && !event.getModifierState('AltGraph')) return;
    event.preventDefault();
    choose(at + (event.key === '[' ? -1 : 1), PAUSE);
  });
  way.goOn(PAUSE);
  return () => { way.stop(); deaf(); };
}
