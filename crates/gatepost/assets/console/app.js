// Glue of the console. No inline handlers: everything is found by data- attributes, and pages work without this file
// but for the editor, the charts and what is live.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
document.documentElement.classList.add('js');

function toast(text) {
  const box = $('#toast');
  if (!box) return;
  box.textContent = text;
  box.classList.add('on');
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.classList.remove('on'), 1600);
}

// Copying, theme, dialogs, menu.
document.addEventListener('click', async (event) => {
  const copy = event.target.closest('[data-copy], [data-copy-from]');
  if (copy) {
    const text = copy.dataset.copy ?? $(copy.dataset.copyFrom).textContent;
    try {
      await navigator.clipboard.writeText(text);
      toast('Copied');
    } catch {
      toast('The browser did not allow copying');
    }
    return;
  }
  if (event.target.closest('[data-theme-toggle]')) return switchTheme();
  if (event.target.closest('[data-palette]')) return openDialog('#palette');
  if (event.target.closest('[data-menu]')) return toggleMenu();
  const open = event.target.closest('[data-dialog]');
  if (open) return openDialog(open.dataset.dialog);
  const close = event.target.closest('[data-close]');
  if (close) return close.closest('dialog').close();
  const tab = event.target.closest('[role=tab][aria-controls]');
  if (tab) selectTab(tab);
  for (const details of $$('details.person[open]')) if (!details.contains(event.target)) details.open = false;
  const side = $('.side.open');
  if (side && !side.contains(event.target)) side.classList.remove('open');
});

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  document.cookie = `theme=${root.dataset.theme};path=/console;max-age=31536000;samesite=lax`;
  drawCharts();
}

function toggleMenu() {
  const side = $('#side');
  side.classList.toggle('open');
  if (side.classList.contains('open')) $('a', side).focus();
}

function openDialog(selector) {
  const dialog = $(selector);
  if (!dialog || dialog.open) return;
  dialog.showModal();
  $('input, button, a', dialog)?.focus();
}

function selectTab(tab) {
  for (const other of $$('[role=tab]', tab.closest('[role=tablist]'))) {
    const on = other === tab;
    other.setAttribute('aria-selected', on);
    other.tabIndex = on ? 0 : -1;
    const panel = document.getElementById(other.getAttribute('aria-controls'));
    if (panel) panel.hidden = !on;
  }
  tab.focus();
  for (const area of $$('textarea[data-sql]')) area.editor?.refresh();
}

// Keys. Those without Ctrl can be switched off (WCAG 2.1.4) and never count in a field.
const singleKeys = () => localStorage.getItem('singleKeys') !== 'off';
let pending = '';
document.addEventListener('keydown', (event) => {
  const control = event.ctrlKey || event.metaKey;
  if (control && event.key === 'k') {
    event.preventDefault();
    return openDialog('#palette');
  }
  if (control && event.key === 'Enter') {
    const button = $('[data-primary]');
    if (button) {
      event.preventDefault();
      button.click();
    }
    return;
  }
  if (event.key === 'Escape') {
    $('.side.open')?.classList.remove('open');
    for (const details of $$('details.person[open]')) details.open = false;
  }
  if (moveInTabs(event) || moveInTree(event) || moveInList(event)) return;
  const typing = event.target.closest?.('input, textarea, select, [contenteditable]');
  if (typing || control || event.altKey || !singleKeys() || $('dialog[open]')) return;
  if (event.key === '?') return openDialog('#keys');
  if (event.key === '/') {
    const filter = $('main [data-filter], main input[type=search]');
    if (filter) {
      event.preventDefault();
      filter.focus();
    }
    return;
  }
  if (pending === 'g') {
    pending = '';
    $(`[data-key="g ${CSS.escape(event.key)}"]`)?.click();
    return;
  }
  pending = event.key === 'g' ? 'g' : '';
});

function moveInTabs(event) {
  if (!event.target.matches?.('[role=tab]')) return false;
  const tabs = $$('[role=tab]', event.target.closest('[role=tablist]'));
  const at = tabs.indexOf(event.target);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (to === undefined) return false;
  event.preventDefault();
  const tab = tabs[(to + tabs.length) % tabs.length];
  if (tab.hasAttribute('aria-controls')) selectTab(tab);
  else tab.focus();
  return true;
}

// Arrow keys in the tree: up and down through what is visible, right opens, left closes or goes to the parent.
function moveInTree(event) {
  const row = event.target.closest?.('.tree summary, .tree a.row');
  if (!row) return false;
  const rows = $$('.tree summary, .tree a.row').filter((other) => other.checkVisibility());
  const at = rows.indexOf(row);
  const details = row.matches('summary') ? row.parentElement : null;
  let to;
  if (event.key === 'ArrowDown') to = rows[at + 1];
  else if (event.key === 'ArrowUp') to = rows[at - 1];
  else if (event.key === 'Home') to = rows[0];
  else if (event.key === 'End') to = rows.at(-1);
  else if (event.key === 'ArrowRight' && details) {
    if (details.open) to = rows[at + 1];
    else details.open = true;
  } else if (event.key === 'ArrowLeft') {
    if (details?.open) details.open = false;
    else to = (details ?? row).parentElement.closest('details')?.querySelector('summary');
  } else return false;
  event.preventDefault();
  to?.focus();
  return true;
}

// Up and down in the list to jump to.
function moveInList(event) {
  const dialog = event.target.closest?.('#palette');
  if (!dialog || !['ArrowDown', 'ArrowUp', 'Enter'].includes(event.key)) return false;
  const links = $$('li:not([hidden]) a', dialog);
  const at = links.indexOf(document.activeElement);
  if (event.key === 'Enter') {
    if (at >= 0) return false;
    links[0]?.click();
  } else {
    (links[at + (event.key === 'ArrowDown' ? 1 : -1)] ?? $('input', dialog)).focus();
  }
  event.preventDefault();
  return true;
}

// Lists that are filtered while one types.
document.addEventListener('input', (event) => {
  const selector = event.target.dataset?.filter;
  if (!selector) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of $$(selector)) {
    row.hidden = wanted !== '' && !row.textContent.toLowerCase().includes(wanted);
    if (wanted && !row.hidden) for (let up = row.closest('details'); up; up = up.parentElement.closest('details')) up.open = true;
  }
});

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-single-keys]')) {
    localStorage.setItem('singleKeys', event.target.checked ? 'on' : 'off');
    return;
  }
  const form = event.target.closest('form[data-autosubmit]');
  if (form) form.requestSubmit();
});

// A form with changes asks before it is left.
let unsaved = false;
document.addEventListener('input', (event) => {
  const form = event.target.closest?.('form[data-guard]');
  if (!form) return;
  unsaved = true;
  const bar = $('[data-unsaved]', form);
  if (bar) bar.hidden = false;
});
document.addEventListener('submit', () => { unsaved = false; });
addEventListener('beforeunload', (event) => { if (unsaved) event.preventDefault(); });

// Editors. The text area follows on every change, so that plain posts and htmx see the same thing.
function mountEditors(root = document) {
  if (typeof CodeMirror === 'undefined') return;
  for (const area of $$('textarea[data-sql]', root)) {
    if (area.editor) continue;
    const tables = JSON.parse($(area.dataset.tables || '#none')?.textContent || '{}');
    const primary = () => $('[data-primary]')?.click();
    const editor = CodeMirror.fromTextArea(area, {
      mode: 'text/x-pgsql', theme: 'gp', lineNumbers: true, matchBrackets: true, autoCloseBrackets: true,
      viewportMargin: Infinity, inputStyle: 'contenteditable', readOnly: area.readOnly,
      hintOptions: { tables, completeSingle: false },
      extraKeys: {
        'Ctrl-Space': 'autocomplete', 'Ctrl-Enter': primary, 'Cmd-Enter': primary, 'Ctrl-/': 'toggleComment',
        Esc: (cm) => cm.getInputField().blur(),
        Tab: (cm) => (cm.somethingSelected() ? cm.indentMore() : cm.replaceSelection('  ')),
      },
    });
    area.editor = editor;
    const field = editor.getInputField();
    field.setAttribute('role', 'textbox');
    field.setAttribute('aria-multiline', 'true');
    field.setAttribute('aria-label', `${area.getAttribute('aria-label') || 'SQL'}. Escape leaves the editor.`);
    if (area.hasAttribute('aria-describedby')) field.setAttribute('aria-describedby', area.getAttribute('aria-describedby'));
    editor.on('change', () => {
      area.value = editor.getValue();
      area.dispatchEvent(new Event('input', { bubbles: true }));
    });
    const line = Number(area.dataset.errorLine);
    if (line) {
      editor.addLineClass(line - 1, 'background', 'error-line');
      editor.scrollIntoView({ line: line - 1, ch: 0 });
    }
  }
}

// SQL commands: what is selected is run alone, names of the tree go to the caret, an error marks its line.
document.addEventListener('submit', (event) => {
  const form = event.target.closest('form[data-sql-form]');
  const editor = form && $('textarea[data-sql]', form)?.editor;
  if (!editor) return;
  const some = editor.somethingSelected();
  form.elements.selection.value = some ? editor.getSelection() : '';
  form.elements.line.value = some ? editor.getCursor('from').line : 0;
}, true);
document.addEventListener('click', (event) => {
  const name = event.target.closest('[data-insert]');
  const editor = name && $('textarea[data-sql]')?.editor;
  if (!editor) return;
  editor.replaceSelection(name.dataset.insert);
  editor.focus();
});
function markLine(root) {
  const editor = $('form[data-sql-form] textarea[data-sql]')?.editor;
  if (!editor) return;
  editor.eachLine((line) => { editor.removeLineClass(line, 'background', 'error-line'); });
  const line = Number($('[data-mark-line]', root)?.dataset.markLine);
  if (line && line <= editor.lineCount()) editor.addLineClass(line - 1, 'background', 'error-line');
}

// Charts. The colours are custom properties that hold light-dark(): a probe element resolves them.
const charts = new Map();
function ink(name) {
  const probe = document.createElement('span');
  probe.className = `ink-${name}`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
function drawCharts(root = document) {
  if (typeof uPlot === 'undefined') return;
  for (const box of $$('[data-chart]', root)) {
    charts.get(box)?.destroy();
    $('.uplot', box)?.remove();
    const { times, series } = JSON.parse(document.getElementById(box.dataset.chart).textContent);
    const axis = { stroke: ink('ink-3'), grid: { stroke: ink('line'), width: 1 }, ticks: { show: false }, font: '11px Inter' };
    const clock = (_, ticks, __, ___, step) => ticks.map((tick) => {
      const at = new Date(tick * 1000);
      return step >= 86400 ? at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
        : at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
    });
    const line = ({ label, ink: name }, first) => {
      const stroke = ink(name);
      return { label, stroke, width: 1.75, points: { show: false },
        fill: first ? stroke.replace('rgb(', 'rgba(').replace(')', ',.08)') : undefined };
    };
    const chart = new uPlot({
      width: Math.max(box.clientWidth - 16, 120), height: box.clientHeight - 16, legend: { show: false },
      cursor: { y: false, sync: box.dataset.sync ? { key: box.dataset.sync } : undefined }, padding: [8, 8, 0, 0],
      axes: [{ ...axis, size: 28, grid: { show: false }, space: 64, values: clock }, { ...axis, size: 44 }],
      series: [{}, ...series.map((one, at) => line(one, at === 0))],
    }, [times, ...series.map((one) => one.values)], box);
    charts.set(box, chart);
    // A click leads to what happened then.
    if (box.dataset.href) chart.over.addEventListener('click', () => {
      const at = times[chart.cursor.idx];
      if (at !== undefined) location.href = box.dataset.href.replace('{from}', at).replace('{to}', at + Number(box.dataset.step || 900));
    });
  }
}

// Live lists: rows come at the top. They wait while somebody reads (pointer, focus, scrolled), and the list is bounded.
function mountLive(root = document) {
  for (const rows of $$('tbody[data-live]', root)) {
    if (rows.live) continue;
    rows.live = true;
    follow(rows);
  }
}

function follow(rows) {
  const box = rows.closest('.tw') ?? rows;
  const card = rows.closest('.card') ?? document;
  const [state, more, none] = ['state', 'new', 'empty'].map((name) => $(`[data-live-${name}]`, card));
  const most = Number(rows.dataset.liveRows);
  const waiting = [];
  let source;
  let last = '';
  const held = () => box.matches(':hover') || box.contains(document.activeElement) || box.scrollTop > 0;
  const say = (text) => { if (state && state.textContent !== text) state.textContent = text; };
  const show = () => {
    if (waiting.length) none?.remove();
    for (const row of waiting.splice(0)) rows.insertAdjacentHTML('afterbegin', row);
    while (rows.rows.length > most) rows.rows[rows.rows.length - 1].remove();
    if (more) more.hidden = true;
    say('Live');
  };
  const settle = () => {
    if (!waiting.length) return;
    if (!held()) return show();
    say('Paused');
    if (more) {
      more.hidden = false;
      more.textContent = `${waiting.length} new`;
    }
  };
  const open = () => {
    const url = new URL(rows.dataset.live, location.href);
    if (last) url.searchParams.set('after', last);
    source = new EventSource(url);
    source.onmessage = (event) => {
      last = event.lastEventId;
      waiting.push(event.data);
      if (waiting.length > most) waiting.shift();
      settle();
    };
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) say('Not connected'); };
  };
  more?.addEventListener('click', show);
  for (const name of ['pointerleave', 'focusout', 'scroll']) box.addEventListener(name, () => setTimeout(settle));
  document.addEventListener('visibilitychange', () => {
    source?.close();
    if (!document.hidden) open();
  });
  if (!document.hidden) open();
}

function mount(root = document) {
  mountEditors(root);
  markLine(root);
  drawCharts(root);
  mountLive(root);
  $('[data-focus]', root)?.focus();
  for (const box of $$('[data-single-keys]', root)) box.checked = singleKeys();
}

document.addEventListener('htmx:after:swap', (event) => mount(event.target instanceof Element ? event.target : document));
addEventListener('resize', () => drawCharts());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawCharts());
document.fonts.ready.then(() => drawCharts());
mount();
