// Lists atoms with their source contexts, aligned at the source token. textContent only: hostile text stays text.

function drawKwic(use) {
  const kwic = element('div', 'kwic');
  const before = element('span', 'before');
  before.append(element('bdi', '', use.before));
  kwic.append(before, element('bdi', 'hit', use.token), element('bdi', 'after', use.after));
  return kwic;
}

// An atom that is the mean of several activations: their tokens, and what their places have in common.
function drawSeveral(use) {
  const several = element('div', 'several');
  const tokens = element('div', 'tokens');
  use.tokens.forEach((token, i) => {
    if (i) tokens.append(element('span', 'dot', '·'));
    tokens.append(element('bdi', 'hit', token));
  });
  if (use.more) {
    const more = element('span', 'muted', `+${use.more}`);
    more.title = `${use.more} more tokens`;
    tokens.append(more);
  }
  several.append(tokens);
  if (use.pattern) several.append(element('bdi', 'pattern', use.pattern));
  return several;
}

function drawSigned(use, top) {
  const signed = element('div', 'signed');
  const track = element('span', 'track');
  const bar = element('span', 'bar');
  const width = 50 * Math.abs(use.coefficient) / top;
  bar.style.width = `${width}%`;
  bar.style.left = `${use.coefficient < 0 ? 50 - width : 50}%`;
  track.append(bar);
  signed.append(track, element('span', 'num', use.shown));
  return signed;
}

function drawMore(use, unpin, open) {
  const more = element('div', 'more');
  const passage = element('div', 'passage');
  passage.append(element('bdi', '', use.full_before), element('bdi', 'hit', use.token), element('bdi', '', use.full_after));
  const facts = element('div', 'facts');
  use.facts.forEach(fact => facts.append(element('span', '', fact)));
  const off = element('button', 'unpin', 'Unpin');
  off.type = 'button';
  off.onclick = event => { event.stopPropagation(); unpin(); };
  if (open) {
    const way = element('button', 'unpin way', 'Open the atom');
    way.type = 'button';
    way.onclick = event => { event.stopPropagation(); open(); };
    facts.append(way);
  }
  facts.append(off);
  more.append(passage);
  if (use.further.length) {
    const further = element('div', 'further');
    further.append(element('p', '', `This atom is the mean of ${use.further.length + 1} activations. The others:`));
    use.further.forEach(label => further.append(drawKwic(label)));
    more.append(further);
  }
  more.append(facts);
  more.onclick = event => event.stopPropagation();
  return more;
}

function drawHead(heading) {
  const head = element('div', 'head');
  [['', '#'], ['', heading], ['num', 'coefficient'], ['num', 'share'], ['num id', 'atom']].forEach(([c, t]) => head.append(element('span', c, t)));
  return head;
}

// "and 5 more": a button below the list, which shows the rows that are folded away.
function drawFold(small, data, open, setOpen) {
  const fold = element('button', 'fold');
  fold.type = 'button';
  const draw = () => {
    fold.setAttribute('aria-expanded', String(open));
    fold.replaceChildren(
      element('span', 'sign', open ? '▾' : '▸'),
      element('span', '', open ? `Hide the ${small.length} small ones` : `and ${small.length} more`),
      element('span', 'muted', data.small),
    );
    small.forEach(row => { row.hidden = !open; });
  };
  fold.onclick = () => {
    open = !open;
    draw();
    if (open) small[0].focus({ preventScroll: true });
    setOpen(open);
  };
  draw();
  return fold;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const active = root.getRootNode().activeElement;
  const hadFocus = root.contains(active);
  const focused = active?.dataset?.atom;
  const foldFocused = hadFocus && active.classList.contains('fold');
  const list = element('div', 'list');
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', data.label);
  list.append(drawHead(data.heading));
  const rows = [];
  let fold = null;
  const pick = atom => setTriggerValue('pick', { atom, at: Date.now() });

  data.atoms.forEach((use, i) => {
    const pinned = use.atom === data.pinned;
    const several = use.tokens.length > 0;
    const row = element('div', use.coefficient < 0 ? 'atom negative' : 'atom');
    const seen = several ? `tokens ${use.tokens.join(', ')}` : `token ${use.token}`;
    row.setAttribute('role', 'option');
    row.setAttribute('aria-selected', String(pinned));
    row.setAttribute('aria-label', `atom ${use.atom}, from ${seen}${use.pattern ? `; ${use.pattern}` : ''}, coefficient ${use.shown}`);
    row.dataset.atom = use.atom;
    row.tabIndex = pinned || (i === 0 && !data.atoms.some(u => u.atom === data.pinned)) ? 0 : -1;
    row.append(element('span', 'rank', String(i + 1)), several ? drawSeveral(use) : drawKwic(use), drawSigned(use, data.top),
      element('span', 'num', use.share), element('span', 'num id', String(use.atom)));
    if (pinned) {
      const open = data.opens ? () => setTriggerValue('open', { atom: use.atom, at: Date.now() }) : null;
      row.append(drawMore(use, () => pick(null), open));
    }
    const choose = () => pick(pinned ? null : use.atom);
    row.onclick = choose;
    row.onkeydown = event => {
      if (event.target !== row) return;
      const seen = rows.filter(r => !r.hidden);
      const at = seen.indexOf(row);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: seen.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); (seen[to] ?? (to > 0 ? fold : null))?.focus(); }
      else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); choose(); }
    };
    rows.push(row);
    list.append(row);
  });
  if (!rows.length) list.append(element('div', 'empty', data.empty));
  const box = element('div', 'box');
  box.append(list);
  const small = rows.filter((_, i) => data.atoms[i].small);
  if (small.length) {
    fold = drawFold(small, data, data.unfolded, open => setTriggerValue('unfold', { open, at: Date.now() }));
    fold.onkeydown = event => {
      if (event.key === 'ArrowUp') { event.preventDefault(); rows.filter(r => !r.hidden).at(-1)?.focus(); }
    };
    box.append(fold);
  }
  const title = element('h3', 'title', data.title);
  if (data.name) title.append(element('bdi', '', data.name));
  root.replaceChildren(title, box);
  if (data.note) root.append(element('p', 'note', data.note));
  if (hadFocus) {
    const again = rows.find(r => r.dataset.atom === focused && !r.hidden) ?? rows.find(r => r.getAttribute('aria-selected') === 'true');
    (foldFocused && fold ? fold : again)?.focus({ preventScroll: true });
  }
}
