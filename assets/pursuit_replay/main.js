// The pursuit step by step: which atom came, the error then left, and what the model would write next.
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

function drawGuesses(guesses, best) {
  const next = element('div', 'next');
  guesses.forEach(guess => {
    const box = element('span', guess.token === best ? 'guess same' : 'guess');
    box.append(element('bdi', '', guess.token), element('span', 'p', guess.probability));
    next.append(box);
  });
  return next;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector('.itda');
  const predicts = data.own.length > 0;
  const best = predicts ? data.own[0].token : null;
  const top = Math.max(...data.steps.map(step => step.error), 1e-12);
  const steps = element('div', predicts ? 'steps' : 'steps plain');
  const head = element('div', 'head');
  const titles = ['step', 'atom that came', 'coefficient', 'error left', 'next token, predicted from this reconstruction'];
  titles.slice(0, predicts ? 5 : 4).forEach((title, i) => head.append(element('span', i === 2 ? 'num' : '', title)));
  steps.append(head);
  data.steps.forEach(step => {
    const row = element('div', `step${step.negative ? ' negative' : ''}${step.atom === data.pinned ? ' pinned' : ''}`);
    const source = element('div', step.several ? 'source several' : 'source');
    const before = element('span', 'before');
    before.append(element('bdi', '', step.before));
    if (step.several) source.append(element('bdi', 'hit', step.token), element('bdi', 'pattern', step.pattern));
    else source.append(before, element('bdi', 'hit', step.token), element('bdi', 'after', step.after));
    source.title = `atom ${step.atom}${step.atom === data.pinned ? ', pinned' : ''}${step.pattern ? `; ${step.pattern}` : ''}`;
    const error = element('div', 'error');
    const gauge = element('span', 'gauge');
    const level = element('span');
    level.style.width = `${Math.min(100, 100 * step.error / top)}%`;
    gauge.append(level);
    error.append(gauge, element('span', 'num', step.error_shown));
    row.append(element('span', 'count', String(step.step)), source, element('span', 'num', step.coefficient), error);
    if (predicts) row.append(drawGuesses(step.guesses, best));
    steps.append(row);
  });
  if (predicts) {
    const own = element('div', 'step own');
    own.append(element('span', 'count', ''), element('span', '', 'The model itself, nothing replaced'), element('span', 'num', ''), element('span', 'muted', ''), drawGuesses(data.own, best));
    steps.append(own);
  }
  root.replaceChildren(steps);
}
