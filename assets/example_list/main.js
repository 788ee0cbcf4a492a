// Where an atom fires: windows of text, each token coloured by the atom's coefficient. textContent only: hostile text
// stays text. Pointing at a token says its coefficient here, without asking the server.
const DEEPEST = 0.55;
const FIRST = 6; // examples of a list that are shown at once

const signed = value => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;
const paint = (node, value, top) => {
  const alpha = (DEEPEST * Math.min(1, Math.abs(value) / top)).toFixed(3);
  node.style.background = `rgba(var(--${value < 0 ? 'negative' : 'positive'}), ${alpha})`;
};

function drawLegend(data) {
  const legend = element('div', 'legend');
  const ramp = element('span', 'ramp');
  const stop = (sign, alpha) => `rgba(var(--${sign}), ${alpha})`;
  ramp.style.background = `linear-gradient(to right, ${[stop('negative', DEEPEST), stop('negative', 0), stop('positive', 0), stop('positive', DEEPEST)].join(', ')})`;
  legend.append(element('span', '', data.legend), element('span', 'num', `−${data.top.toFixed(2)}`), ramp, element('span', 'num', `+${data.top.toFixed(2)}`));
  return legend;
}

function drawText(example, data, open, say) {
  const text = element('div', data.separate ? 'tokens separate' : 'tokens');
  if (example.cut[0]) text.append(element('span', 'muted', '… '));
  example.pieces.forEach(([shown, token, value, breaks, unseen], i) => {
    const span = element('span', token === null ? 'gap' : 't', shown);
    if (i === example.at) span.classList.add('at');
    if (unseen) span.classList.add('unseen');
    if (value) paint(span, value, data.top);
    if (token !== null) {
      span.onmouseenter = () => say(shown, value);
      span.onclick = event => { event.stopPropagation(); open(token); };
    }
    text.append(span);
    if (breaks && data.breaks) text.append(document.createElement('br'));
  });
  if (example.cut[1]) text.append(element('span', 'muted', ' …'));
  return text;
}

function drawExample(example, data, setTriggerValue) {
  const row = element('div', 'example');
  const open = token => setTriggerValue('open', { token, at: Date.now() });
  const figure = element('div', `figure ${example.value < 0 ? 'negative' : 'positive'}`, signed(example.value));
  const about = element('div', 'about');
  const facts = element('bdi', 'facts', example.facts);
  const said = element('span', 'said');
  about.append(facts, said);
  const say = (shown, value) => said.replaceChildren(element('bdi', '', shown), element('span', '', value ? ` ${signed(value)}` : ' not used'));
  const text = drawText(example, data, open, say);
  row.onmouseleave = () => said.replaceChildren();
  row.onclick = () => open(example.token);
  row.setAttribute('role', 'option');
  row.setAttribute('aria-selected', 'false');
  row.setAttribute('aria-label', `${signed(example.value)}: ${example.spoken}. ${example.facts}. Enter opens it in Decompose.`);
  row.append(figure, text, about);
  return [row, open];
}

function drawGroup(group, data, rows, setTriggerValue) {
  const box = element('section', 'group');
  const head = element('div', 'head');
  head.append(element('strong', '', group.title), element('span', 'muted', group.note));
  box.append(head);
  if (!group.examples.length) box.append(element('div', 'empty', group.empty));
  const hidden = [];
  group.examples.forEach((example, i) => {
    const [row, open] = drawExample(example, data, setTriggerValue);
    row.onkeydown = event => {
      const shown = rows.filter(other => !other.hidden);
      const here = shown.indexOf(row);
      const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: shown.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); shown[to]?.focus(); }
      else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); open(example.token); }
    };
    row.onfocus = () => rows.forEach(other => { other.tabIndex = other === row ? 0 : -1; });
    if (i >= FIRST) { row.hidden = true; hidden.push(row); }
    rows.push(row);
    box.append(row);
  });
  if (hidden.length) {
    const fold = element('button', 'fold', `and ${hidden.length} more`);
    fold.type = 'button';
    fold.onclick = () => { hidden.forEach(row => { row.hidden = false; }); fold.remove(); hidden[0].focus(); };
    box.append(fold);
  }
  return box;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const rows = [];
  const list = element('div', 'lists');
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', data.label);
  data.sections.forEach(section => {
    const part = element('div', section.beside ? 'part beside' : 'part');
    if (section.title) {
      const head = element('div', 'title');
      head.append(element('strong', '', section.title), element('span', 'muted', section.note));
      list.append(head);
    }
    section.groups.forEach(group => part.append(drawGroup(group, data, rows, setTriggerValue)));
    list.append(part);
  });
  rows.forEach((row, i) => { row.tabIndex = i ? -1 : 0; });
  root.replaceChildren(drawLegend(data), list);
}
