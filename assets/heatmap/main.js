// A matrix of coloured cells on a canvas: a thousand cells are there at once, and a click is told at once. Names and
// tips are drawn by the canvas or put in place with textContent, so hostile text stays text.
const LIGHT = parse([[0, '#f3f4fb'], [0.25, '#c5caf6'], [0.5, '#8185f0'], [0.75, '#4f46e5'], [1, '#2e2a78']]);
const DARK = parse([[0, '#1d1d27'], [0.25, '#35347a'], [0.5, '#6366f1'], [0.75, '#a5b0fb'], [1, '#f1f2ff']]);
const NEGATIVE_TO_POSITIVE_LIGHT = parse([[0, '#9a3412'], [0.25, '#fb923c'], [0.5, '#f6f6fa'], [0.75, '#8185f0'], [1, '#3730a3']]);
const NEGATIVE_TO_POSITIVE_DARK = parse([[0, '#fdba74'], [0.25, '#c2410c'], [0.5, '#1d1d27'], [0.75, '#5256d6'], [1, '#c7d2fe']]);
const BAR = 12, TICKS = 5, PRINTED = 3; // the scale of colours: width, labels; how much finer a PNG is
const GREY = 'rgba(128, 128, 140, 0.28)'; // of cells that are apart from the scale
const NOTE = 24, FOOT = 34, BUTTON = 56; // pixels: the line that says why; below the scale; width for the PNG button
const KEYS = 200; // milliseconds: of keys quicker than that only the first and the last are asked for
const DEGREE = Math.PI / 180;
const instances = new WeakMap(); // what watches the width of each


function parse(stops) {
  return stops.map(([at, hex]) => [at, [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16))]);
}

function colour(stops, share) {
  const x = Math.min(1, Math.max(0, share));
  const upper = Math.max(1, stops.findIndex(([at]) => at >= x));
  const [[a, from], [b, to]] = [stops[upper - 1], stops[upper]];
  return from.map((value, i) => Math.round(value + (to[i] - value) * (x - a) / (b - a)));
}

// Dark ink or white, whichever stands out more: WCAG's relative luminance, at which both do so equally.
const linear = part => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
const readable = ([r, g, b]) => (0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.205 ? '#1d1d27' : '#ffffff');

function numbers(low, high, percent) {
  const shown = percent ? 100 : 1;
  const span = (high - low) * shown;
  const digits = span >= 4 ? 0 : span >= 0.4 ? 1 : 2;
  return Array.from({ length: TICKS }, (_, i) => low + (high - low) * i / (TICKS - 1))
    .map(value => [value, `${(value * shown).toFixed(digits).replace(/^-(?=[0.]+$)/, '')}${percent ? '%' : ''}`]);
}

// Where everything goes, for a canvas of this width in CSS pixels.
function layout(context, data, width, font) {
  const rows = data.rows.length, columns = data.columns.length;
  const size = Math.max(rows, columns) > 12 ? 10 : 12;
  context.font = `${size}px ${font}`;
  const widest = names => Math.ceil(Math.max(0, ...names.map(name => context.measureText(name).width)));
  const left = Math.min(Math.floor(width * 0.4), widest(data.rows) + 10), right = BAR + 62, top = 6;
  const cellWidth = Math.max(1, (width - left - right) / columns);
  const columnsWidest = widest(data.columns);
  const turn = columnsWidest + 6 <= cellWidth ? 0 : cellWidth >= 26 ? 45 : 90;
  const below = turn === 0 ? size + 8 : turn === 45 ? Math.ceil(columnsWidest * 0.72) + size + 4 : columnsWidest + 10;
  const foot = FOOT + (data.apart_note ? NOTE : 0);
  const usual = rows <= 8 ? 46 : rows <= 20 ? 30 : 21;
  const room = Math.min(900, Math.max(300, data.height || rows * usual + top + below)) - top - below;
  const bottom = top + Math.max(1, Math.max(rows * 2, room) / rows) * rows;
  const cellHeight = Math.max(1, Math.max(rows * 2, room) / rows);
  return { rows, columns, size, left, top, below, turn, cellWidth, cellHeight, width, font,
    bottom, right: left + cellWidth * columns, height: Math.ceil(bottom + Math.max(below + (data.apart_note ? NOTE : 0), foot)) };
}

function draw(context, data, at, chosen, ink) {
  const { rows, columns, left, top, cellWidth, cellHeight, font } = at;
  const stops = data.two_sided ? (data.dark ? NEGATIVE_TO_POSITIVE_DARK : NEGATIVE_TO_POSITIVE_LIGHT) : data.dark ? DARK : LIGHT;
  const span = data.high > data.low ? data.high - data.low : 1;
  const gap = Math.min(cellWidth, cellHeight) > 5 ? 1 : 0;
  const letters = Math.max(9, Math.min(15, Math.floor(cellHeight * 0.42), columns <= 8 ? 15 : columns <= 12 ? 12 : 10));
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  context.font = `${letters}px ${font}`;
  const longest = Math.max(0, ...data.written.map(row => Math.max(0, ...row.map(text => text.length))));
  const legible = cellHeight >= letters + 3 && context.measureText('0'.repeat(longest)).width + 3 <= cellWidth;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const value = data.values[i][j];
      if (value === null) continue;
      const found = colour(stops, (value - data.low) / span), apart = data.apart?.[i][j];
      context.fillStyle = apart ? GREY : `rgb(${found.join(',')})`;
      context.fillRect(left + j * cellWidth, top + i * cellHeight, cellWidth - gap, cellHeight - gap);
      if (legible) {
        context.fillStyle = apart ? ink : readable(found);
        context.fillText(data.written[i][j], left + (j + 0.5) * cellWidth, top + (i + 0.5) * cellHeight);
      }
    }
  }
  context.strokeStyle = 'rgba(128, 128, 140, 0.95)';
  context.lineWidth = 1.5;
  context.beginPath();
  data.column_edges.forEach(j => {
    context.moveTo(left + j * cellWidth - gap / 2, top);
    context.lineTo(left + j * cellWidth - gap / 2, at.bottom);
  });
  data.row_edges.forEach(i => {
    context.moveTo(left, top + i * cellHeight - gap / 2);
    context.lineTo(at.right, top + i * cellHeight - gap / 2);
  });
  context.stroke();

  context.fillStyle = ink;
  context.font = `${at.size}px ${font}`;
  context.textAlign = 'right';
  for (let i = 0; i < rows; i += Math.ceil((at.size + 1) / cellHeight)) {
    context.fillText(data.rows[i], left - 6, top + (i + 0.5) * cellHeight, left - 8);
  }
  for (let j = 0; j < columns; j += at.turn ? Math.ceil((at.size + 1) / cellWidth) : 1) {
    context.save();
    context.translate(left + (j + 0.5) * cellWidth, at.bottom + (at.turn ? 4 : 4 + at.size / 2));
    context.rotate(-at.turn * DEGREE);
    context.textAlign = at.turn ? 'right' : 'center';
    context.fillText(data.columns[j], 0, 0);
    context.restore();
  }

  const x = at.right + 14;
  for (let y = 0; y < at.bottom - top; y++) {
    context.fillStyle = `rgb(${colour(stops, 1 - y / (at.bottom - top - 1)).join(',')})`;
    context.fillRect(x, top + y, BAR, 1.5);
  }
  context.fillStyle = ink;
  context.textAlign = 'left';
  context.font = `11px ${font}`;
  numbers(data.low, data.low + span, data.percent).forEach(([value, text]) => {
    const y = at.bottom - (value - data.low) / span * (at.bottom - top);
    context.fillText(text, x + BAR + 4, Math.min(at.bottom - 6, Math.max(top + 6, y)));
  });
  if (data.title) {
    context.save();
    context.translate(at.width - 7, (top + at.bottom) / 2);
    context.rotate(Math.PI / 2);
    context.textAlign = 'center';
    context.fillText(data.title, 0, 0);
    context.restore();
  }
  if (data.apart_note) {
    const y = at.height - NOTE / 2;
    context.fillStyle = GREY;
    context.fillRect(left, y - 6, 12, 12);
    context.fillStyle = ink;
    context.textAlign = 'left';
    context.fillText(data.apart_note, left + 18, y, at.width - left - 18 - BUTTON);
  }
  if (chosen) {
    // The ink, set off from cells of any colour by the ground: orange says that something is negative.
    for (const [stroke, width] of [[data.dark ? '#15151a' : '#ffffff', 5.5], [ink, 2.5]]) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.strokeRect(left + chosen[1] * cellWidth - gap / 2, top + chosen[0] * cellHeight - gap / 2, cellWidth, cellHeight);
    }
  }
}

function save(canvas, name) {
  canvas.toBlob(blob => {
    const link = element('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  instances.get(root)?.disconnect();
  const way = underway(root, data.answered, cell => setTriggerValue('pick', cell));
  const known = cell => cell.row < data.rows.length && cell.column < data.columns.length;
  if (way.choice() && !known(way.choice())) way.forget();
  const hadFocus = root.contains(root.getRootNode().activeElement);
  const frame = element('div', 'frame');
  const canvas = element('canvas');
  const tip = element('div', 'tip');
  const told = element('div', 'told');
  const camera = element('button', 'camera', 'PNG');
  camera.type = 'button';
  camera.title = 'Save as PNG';
  told.setAttribute('aria-live', 'polite');
  canvas.setAttribute('role', data.pickable ? 'application' : 'img');
  canvas.setAttribute('aria-label', data.label + (data.pickable ? '; the arrow keys choose a cell' : ''));
  canvas.tabIndex = data.pickable ? 0 : -1;
  frame.append(canvas, camera, tip, told);

  let at = null, chosen = way.choice() ? [way.choice().row, way.choice().column] : data.chosen;
  const paint = () => {
    const width = Math.floor(root.clientWidth);
    if (!width) return;
    const context = canvas.getContext('2d'), fine = window.devicePixelRatio || 1;
    const { color, fontFamily } = getComputedStyle(root);
    at = layout(context, data, width, fontFamily);
    canvas.width = Math.round(width * fine);
    canvas.height = Math.round(at.height * fine);
    canvas.style.height = `${at.height}px`;
    canvas.dataset.cells = JSON.stringify([at.left, at.top, at.cellWidth, at.cellHeight]);
    context.scale(fine, fine);
    draw(context, data, at, chosen, color);
  };
  const cellUnder = event => {
    if (!at) return null;
    const box = canvas.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top - at.top) / at.cellHeight);
    const column = Math.floor((event.clientX - box.left - at.left) / at.cellWidth);
    return row >= 0 && row < at.rows && column >= 0 && column < at.columns ? [row, column] : null;
  };
  const choose = (cell, delay) => {
    chosen = cell;
    paint();
    told.textContent = data.told[cell[0]][cell[1]];
    way.choose({ row: cell[0], column: cell[1] }, delay);
  };

  canvas.onpointermove = event => {
    const cell = cellUnder(event);
    canvas.style.cursor = cell && data.pickable ? 'pointer' : 'default';
    tip.style.display = cell ? 'block' : 'none';
    if (!cell) return;
    tip.textContent = data.told[cell[0]][cell[1]];
    const x = at.left + (cell[1] + 1) * at.cellWidth + 8, y = at.top + (cell[0] + 1) * at.cellHeight + 4;
    const leftOf = at.left + cell[1] * at.cellWidth - tip.offsetWidth - 8;
    tip.style.left = `${x + tip.offsetWidth <= at.width || leftOf < 0 ? Math.min(x, Math.max(0, at.width - tip.offsetWidth)) : leftOf}px`;
    tip.style.top = `${Math.min(y, Math.max(0, at.height - tip.offsetHeight))}px`;
  };
  canvas.onpointerleave = () => { tip.style.display = 'none'; };
  camera.onclick = () => {
    const printed = element('canvas'), context = printed.getContext('2d');
    printed.width = at.width * PRINTED;
    printed.height = at.height * PRINTED;
    context.scale(PRINTED, PRINTED);
    const theme = getComputedStyle(root);
    context.fillStyle = theme.getPropertyValue('--st-background-color') || (data.dark ? '#000' : '#fff');
    context.fillRect(0, 0, at.width, at.height);
    draw(context, data, at, null, theme.color); // the frame is the cursor's, no part of the figure
    save(printed, data.file);
  };
  if (data.pickable) {
    canvas.onclick = event => {
      const cell = cellUnder(event);
      if (cell) choose(cell, 0);
    };
    canvas.onkeydown = event => {
      const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step || !at) return;
      event.preventDefault();
      event.stopPropagation();
      const to = chosen ? chosen.map((place, i) => place + step[i]) : [0, 0];
      if (to[0] >= 0 && to[0] < at.rows && to[1] >= 0 && to[1] < at.columns) choose(to, KEYS);
    };
  }
  root.replaceChildren(frame);
  paint();
  if (hadFocus) canvas.focus({ preventScroll: true });
  let painted = at?.width;
  const observer = new ResizeObserver(() => {
    if (Math.floor(root.clientWidth) === painted) return;
    painted = Math.floor(root.clientWidth);
    paint();
  });
  observer.observe(root);
  instances.set(root, observer);
  way.goOn(KEYS);
  if (document.fonts?.status === 'loading') document.fonts.ready.then(() => { if (root.contains(canvas)) paint(); });
}
