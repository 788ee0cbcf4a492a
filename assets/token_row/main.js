// Draws a prompt's tokens. Every text enters the page through textContent, so hostile text stays text.
const PAUSE = 140; // milliseconds: of keys quicker than that only the first and the last are asked for

function neighbour(spans, from, direction) {
  const here = spans[from].getBoundingClientRect();
  const middle = (here.left + here.right) / 2;
  let best = -1, distance = Infinity;
  spans.forEach((span, i) => {
    const box = span.getBoundingClientRect();
    const down = (box.top - here.top) * direction;
    if (down < here.height / 2) return;
    const away = down * 1000 + Math.abs((box.left + box.right) / 2 - middle);
    if (away < distance) { distance = away; best = i; }
  });
  return best;
}

function drawLegend(foot, legend) {
  const box = element('div', 'legend');
  if (legend.title) box.append(element('span', '', legend.title));
  if (legend.ramp) {
    const scale = element('span', 'scale');
    const ramp = element('span', 'ramp');
    ramp.style.background = `linear-gradient(to right, ${legend.ramp.map(c => `rgba(${c})`).join(', ')})`;
    scale.append(element('span', '', legend.low), ramp, element('span', '', legend.high));
    box.append(scale);
  }
  (legend.entries ?? []).forEach(e => {
    const entry = element('span', 'entry');
    const swatch = element('span', 'swatch');
    swatch.style.background = `rgba(${e.rgb}, 0.75)`;
    entry.append(swatch, element('bdi', '', e.text), element('span', '', e.note));
    box.append(entry);
  });
  foot.append(box);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const old = root.querySelector('.row');
  const active = root.getRootNode().activeElement;
  const hadFocus = !!old && old.contains(active);
  const scroll = old ? old.scrollTop : 0;

  const row = element('div', 'row');
  row.setAttribute('role', 'listbox');
  row.setAttribute('aria-label', data.label);
  const foot = element('div', 'foot');
  const readout = element('span', 'readout');
  const spans = [];
  const way = underway(root, data.answered, choice => setTriggerValue('pick', choice));
  if (way.choice() && !data.tokens.some(t => t.index === way.choice().index)) way.forget();
  const at = way.choice() ? way.choice().index : data.selected;

  const show = tok => {
    readout.replaceChildren();
    if (!tok) return;
    readout.append(element('span', '', `token ${tok.index}  `), element('bdi', '', tok.name), element('span', '', `  ${tok.tip}`));
  };
  const chosen = data.tokens.find(t => t.index === at);
  const choose = (i, delay) => {
    spans.forEach((s, j) => { s.setAttribute('aria-selected', String(i === j)); s.tabIndex = i === j ? 0 : -1; });
    way.choose({ index: data.tokens[i].index }, delay);
  };

  data.tokens.forEach((tok, i) => {
    const span = element('span', tok.special ? 't special' : 't');
    span.append(element('span', tok.unseen ? 'unseen' : '', tok.text));
    if (tok.mark) span.append(element('span', 'mark', tok.mark));
    if (tok.alpha > 0) span.style.background = `rgba(${tok.rgb}, ${tok.alpha})`;
    const selected = tok.index === at;
    span.tabIndex = selected || (!chosen && i === 0) ? 0 : -1;
    span.setAttribute('role', 'option');
    span.setAttribute('aria-selected', String(selected));
    span.setAttribute('aria-label', `token ${tok.index}: ${tok.name}, ${tok.tip}${tok.pinned ? ', uses the pinned atom' : ''}`);
    span.dataset.index = tok.index;
    if (tok.pinned) span.dataset.pinned = '';
    span.onclick = () => choose(i, 0);
    span.onmouseenter = () => show(tok);
    span.onfocus = () => show(tok);
    span.onkeydown = event => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: spans.length - 1 }[event.key]
        ?? (event.key === 'ArrowDown' ? neighbour(spans, i, 1) : event.key === 'ArrowUp' ? neighbour(spans, i, -1) : undefined);
      if (to !== undefined) {
        event.preventDefault();
        if (spans[to]) { spans[to].focus(); choose(to, PAUSE); }
      } else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); choose(i, 0); }
    };
    spans.push(span);
    row.append(span);
    if (tok.breaks) row.append(document.createElement('br'));
    if (tok.indent) row.append(element('span', 'indent', tok.indent));
  });
  row.onmouseleave = () => show(chosen);

  drawLegend(foot, data.legend);
  foot.append(readout);
  show(chosen);
  root.replaceChildren(row, foot);
  row.scrollTop = scroll;
  const here = spans.find(span => span.getAttribute('aria-selected') === 'true');
  if (here) {
    const inside = here.offsetTop - row.offsetTop;
    if (inside < row.scrollTop || inside + here.offsetHeight > row.scrollTop + row.clientHeight) {
      row.scrollTop = inside - row.clientHeight / 2;
    }
  }
  if (hadFocus) here?.focus({ preventScroll: true });
  way.goOn(PAUSE);
  return way.stop;
}
