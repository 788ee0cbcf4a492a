// One page of a table of atoms: rows to open, titles to sort by. textContent only: hostile text stays text.

function drawTitle(column, data, setTriggerValue) {
  const cell = element('div', column.number ? 'cell num' : `cell ${column.name}`);
  cell.setAttribute('role', 'columnheader');
  if (!column.sorts) { cell.append(element('span', '', column.title)); return cell; }
  const sorted = data.sort === column.name;
  const button = element('button', sorted ? 'sorted' : '', `${column.title}${sorted ? (data.descending ? ' ↓' : ' ↑') : ''}`);
  button.type = 'button';
  button.title = column.help;
  button.onclick = () => setTriggerValue('sort', { column: column.name, at: Date.now() });
  cell.setAttribute('aria-sort', sorted ? (data.descending ? 'descending' : 'ascending') : 'none');
  cell.append(button);
  return cell;
}

function drawLabel(row) {
  const label = element('div', row.before || row.after ? 'cell label' : 'cell label alone');
  const before = element('span', 'before');
  before.append(element('bdi', '', row.before));
  label.append(before, element('bdi', 'hit', row.token), element('bdi', 'after', row.after));
  return label;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.itda');
  const frame = element('div', 'frame');
  const table = element('div', 'table');
  table.setAttribute('role', 'grid');
  table.setAttribute('aria-label', data.label);
  if (data.narrow) table.classList.add('narrow');
  table.style.gridTemplateColumns = data.columns.map(column => column.width).join(' ');
  const head = element('div', 'line head');
  head.setAttribute('role', 'row');
  data.columns.forEach(column => head.append(drawTitle(column, data, setTriggerValue)));
  table.append(head);
  const lines = [];
  data.rows.forEach((row, i) => {
    const line = element('div', 'line');
    line.setAttribute('role', 'row');
    line.dataset.atom = row.atom;
    line.tabIndex = i ? -1 : 0;
    line.setAttribute('aria-label', `Atom ${row.atom}: ${row.before}${row.token}${row.after}. Enter opens it.`);
    const open = () => setTriggerValue('open', { atom: row.atom, at: Date.now() });
    line.onclick = open;
    line.onfocus = () => lines.forEach(other => { other.tabIndex = other === line ? 0 : -1; });
    line.onkeydown = event => {
      const to = { ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: lines.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); lines[to]?.focus(); }
      else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); open(); }
    };
    data.columns.forEach(column => {
      if (column.name === 'label') line.append(drawLabel(row));
      else {
        const cell = element('div', column.number ? 'cell num' : `cell ${column.name}`, row.cells[column.name]);
        cell.setAttribute('role', 'gridcell');
        line.append(cell);
      }
    });
    lines.push(line);
    table.append(line);
  });
  frame.append(table);
  root.replaceChildren(frame);
  if (!data.rows.length) root.append(element('div', 'empty', data.empty));
}
