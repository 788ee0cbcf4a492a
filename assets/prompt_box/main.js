// A prompt that grows with its text: Enter submits, Shift+Enter starts a new line.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  let area = root.querySelector('textarea');
  const submit = text => { root.dataset.asked = text; setTriggerValue('submit', { text, at: Date.now() }); say(); };
  const grow = () => { area.style.height = 'auto'; area.style.height = `${area.scrollHeight}px`; };

  if (!area) {
    const box = element('div', 'box');
    area = element('textarea');
    area.rows = 1;
    area.setAttribute('aria-label', 'Prompt');
    area.spellcheck = false;
    const go = element('button', 'go', 'Decompose');
    go.type = 'button';
    box.append(area, go);
    const under = element('div', 'under');
    root.replaceChildren(box, under);
  }
  area.placeholder = data.placeholder;
  if (root.dataset.sent !== data.value) {  // only a prompt from outside replaces what is being typed
    if (root.dataset.asked !== data.value) area.value = data.value;
    delete root.dataset.asked;
    root.dataset.sent = data.value;
  }
  area.oninput = () => { grow(); say(); };
  area.onkeydown = event => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(area.value); }
  };
  root.querySelector('.go').onclick = () => submit(area.value);
  const under = root.querySelector('.under');
  under.replaceChildren();
  if (data.examples.length) under.append(element('span', '', 'Try'));
  data.examples.forEach(text => {
    const chip = element('button', 'chip', text);
    chip.type = 'button';
    chip.onclick = () => { area.value = text; grow(); submit(text); };
    under.append(chip);
  });
  const keys = element('span', 'keys');
  under.append(keys);
  // Everything else on the page is of the prompt that was sent, whatever the box holds meanwhile.
  const say = () => {
    const draft = area.value !== data.value && area.value !== root.dataset.asked;
    keys.classList.toggle('draft', draft);
    keys.textContent = `${draft ? 'Not read yet: press ' : ''}Enter to decompose · Shift+Enter for a new line`;
  };
  say();
  grow();
  requestAnimationFrame(grow);
}
