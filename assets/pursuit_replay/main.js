// The pursuit step by step: which atom came, the error then left, and what the model would write next.

function drawGuesses(guesses, best) {
  const next = element('div', 'next');
  guesses.forEach(guess => {
    const box = element('span', guess.token === best ? 'guess same' : 'guess');
    box.append(element('bdi', '', guess.token), element('span', 'p', guess.probability));
    next.append(box);
  });
  return next;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const active = root.getRootNode().activeElement;
  const focused = root.contains(active) ? active.dataset.step : undefined;
  const predicts = data.own.length > 0;
  const best = predicts ? data.own[0].token : null;
  const top = Math.max(1, ...data.steps.map(step => step.error)); // 1: what is left without any atom
  const steps = element('div', predicts ? 'steps' : 'steps plain');
  const head = element('div', 'head');
  const titles = ['step', 'atom that came', 'coefficient', 'error left', 'next token, predicted from this reconstruction'];
  titles.slice(0, predicts ? 5 : 4).forEach((title, i) => head.append(element('span', i === 2 ? 'num' : '', title)));
  head.children[3].title = data.error_about;
  steps.append(head);
  steps.setAttribute('role', 'listbox');
  steps.setAttribute('aria-label', data.label);
  const rows = [];
  // A row is reached as the bars of the chart above are by the mouse; Enter pins its atom, which marks the bar as well.
  const reach = (row, step, pinned, i) => {
    row.setAttribute('role', 'option');
    row.setAttribute('aria-selected', String(pinned));
    row.setAttribute('aria-label', `step ${step.step} of ${data.steps.length}: atom ${step.atom}, from ${step.token}, coefficient ${step.coefficient}, error left ${step.error_shown}${step.left ? `; ${step.left}` : ''}`);
    row.dataset.step = step.step;
    row.tabIndex = i === 0 ? 0 : -1;
    const choose = () => setTriggerValue('pick', { atom: pinned ? null : step.atom, at: Date.now() });
    row.onclick = choose;
    row.onkeydown = event => {
      const to = { ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: rows.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); rows[to]?.focus(); }
      else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); choose(); }
    };
  };
  data.steps.forEach((step, i) => {
    const pinned = step.atom === data.pinned;
    const row = element('div', `step${step.negative ? ' negative' : ''}${pinned ? ' pinned' : ''}`);
    reach(row, step, pinned, i);
    const source = element('div', step.several ? 'source several' : 'source');
    const before = element('span', 'before');
    before.append(element('bdi', '', step.before));
    if (step.several) source.append(element('bdi', 'hit', step.token), element('bdi', 'pattern', step.pattern));
    else source.append(before, element('bdi', 'hit', step.token), element('bdi', 'after', step.after));
    source.title = `atom ${step.atom}${pinned ? ', pinned' : ''}${step.pattern ? `; ${step.pattern}` : ''}`;
    const label = element('div', 'label');
    label.append(source);
    if (step.left) label.append(element('span', 'left', step.left));
    const error = element('div', 'error');
    const gauge = element('span', 'gauge');
    const level = element('span');
    level.style.width = `${Math.min(100, 100 * step.error / top)}%`;
    gauge.append(level);
    error.append(gauge, element('span', 'num', step.error_shown));
    row.append(element('span', 'count', String(step.step)), label, element('span', 'num', step.coefficient), error);
    if (predicts) row.append(drawGuesses(step.guesses, best));
    rows.push(row);
    steps.append(row);
  });
  if (predicts) {
    const own = element('div', 'step own');
    own.append(element('span', 'count', ''), element('span', '', 'The model itself, nothing replaced'), element('span', 'num', ''), element('span', 'muted', ''), drawGuesses(data.own, best));
    steps.append(own);
  }
  root.replaceChildren(steps);
  if (focused !== undefined) rows.find(row => row.dataset.step === focused)?.focus({ preventScroll: true });
}
