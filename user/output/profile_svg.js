/* SPDX-License-Identifier: MIT */
/*
 * Zoom, search and tooltips of the flame graph. Everything it knows it reads from the frames:
 *
 *   <g class="f c2" data-i="7" data-a="4096" data-n="8192" data-d="3" data-l="app.py:12">
 *     <title>load&#10;/srv/app.py:12&#10;growth ...</title><rect .../><text .../></g>
 *
 * i: of the stack, the same in both graphs; a, n: its first byte and its bytes, of the graph's total;
 * d: depth; l: the place as the label shows it. Frames come parents first, then from left to right.
 * Names are put into the page as text only, never as markup.
 */
'use strict';

(() => {
	const SVG = 'http://www.w3.org/2000/svg', HTML = 'http://www.w3.org/1999/xhtml';
	const root = document.documentElement;
	const margin = 10, padding = 4, narrowest = 0.3;
	const bar = document.getElementById('bar');
	const barTop = Number(bar.dataset.y);
	let width = 0, cell = 6.62;

	const make = (name, attributes, parent) => {
		const e = document.createElementNS(SVG, name);
		for (const key in attributes)
			e.setAttribute(key, attributes[key]);
		if (parent)
			parent.appendChild(e);
		return e;
	};

	const html = (name, attributes, parent) => {
		const e = document.createElementNS(HTML, name);
		for (const key in attributes)
			e.setAttribute(key, attributes[key]);
		parent.appendChild(e);
		return e;
	};

	const readFrame = (g, panel) => {
		const title = g.querySelector('title');
		const lines = title.textContent.split('\n');
		title.remove();		/* the browser would show it over ours */
		return {
			g, panel, lines,
			rect: g.querySelector('rect'), text: g.querySelector('text'),
			id: g.dataset.i, start: Number(g.dataset.a), bytes: Number(g.dataset.n),
			depth: Number(g.dataset.d), place: g.dataset.l || '',
		};
	};

	const frameOf = new Map();
	const panels = [...document.querySelectorAll('.panel')].map(g => {
		const panel = {g, name: g.dataset.name, total: Number(g.dataset.total)};
		panel.frames = [...g.querySelectorAll('.f')].map(e => readFrame(e, panel));
		panel.byId = new Map(panel.frames.map(f => [f.id, f]));
		panel.frames.forEach(f => frameOf.set(f.g, f));
		panel.zoomed = panel.frames[0];
		return panel;
	});

	/* "12.3 MiB", as the rest of the page has it */
	const size = bytes => {
		const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
		let u = 0;
		for (; bytes >= 1023.95 && u < units.length - 1; u++)
			bytes /= 1024;
		return bytes.toFixed(u ? 1 : 0) + ' ' + units[u];
	};

	/* --- labels ---------------------------------------------------------------------- */

	/* East Asian characters and pictures take two cells */
	const cells = c => c.codePointAt(0) >= 0x1100 ? 2 : 1;

	const fitting = (s, room) => {
		const all = [...s];
		let used = all.reduce((sum, c) => sum + cells(c), 0);
		if (used <= room)
			return [s, room - used];
		while (used > room - 1)
			used -= cells(all.pop());
		return [all.join('') + '…', 0];
	};

	const label = (f, w) => {
		const room = Math.floor((w - 2 * padding) / cell);
		f.text.textContent = '';
		if (room < 3)
			return;
		const [name, left] = fitting(f.lines[0], room);
		f.text.textContent = name;
		if (f.place && left > f.place.length + 1)
			make('tspan', {class: 'at'}, f.text).textContent = '  ' + f.place;
	};

	/* --- zoom ------------------------------------------------------------------------ */

	const layoutFrame = (f, z, perByte) => {
		const above = f.depth < z.depth && f.start <= z.start &&
			f.start + f.bytes >= z.start + z.bytes;
		const left = above ? 0 : (f.start - z.start) * perByte;
		const w = above ? width : f.bytes * perByte;
		const outside = left + w <= 1e-6 || left >= width - 1e-6 ||
			(f.depth < z.depth && !above);

		f.g.classList.toggle('gone', outside || w < narrowest);
		f.g.classList.toggle('up', above);
		if (outside || w < narrowest)
			return;
		f.g.classList.toggle('thin', w < 2);
		f.rect.setAttribute('x', (margin + left).toFixed(2));
		f.rect.setAttribute('width', w.toFixed(2));
		f.text.setAttribute('x', (margin + left + padding).toFixed(2));
		label(f, w);
	};

	const layout = panel => {
		const z = panel.zoomed;
		if (z)
			panel.frames.forEach(f => layoutFrame(f, z, width / z.bytes));
	};

	const zoom = f => {
		f.panel.zoomed = f;
		layout(f.panel);
		update();
	};

	const reset = () => panels.forEach(panel => {
		panel.zoomed = panel.frames[0];
		layout(panel);
	});

	/* --- search ---------------------------------------------------------------------- */

	/* "/re/" is a regular expression, all else is looked for as it is; null: not valid */
	const matcher = wanted => {
		const re = /^\/(.+)\/$/.exec(wanted);
		const small = wanted.toLowerCase();
		if (!re)
			return s => s.toLowerCase().includes(small);
		try {
			const compiled = new RegExp(re[1], 'i');
			return s => compiled.test(s);
		} catch (e) {
			return null;
		}
	};

	/* Bytes in view below frames that match; those within one that matched count once. */
	const matched = panel => {
		const z = panel.zoomed;
		let sum = 0, done = 0;
		for (const f of panel.frames) {
			if (!f.match || f.start < done)
				continue;
			done = f.start + f.bytes;
			sum += Math.max(0, Math.min(done, z.start + z.bytes) -
				Math.max(f.start, z.start));
		}
		return sum;
	};

	const find = () => {
		const wanted = ui.input.value;
		const test = wanted ? matcher(wanted) : null;
		ui.input.classList.toggle('bad', wanted !== '' && !test);
		for (const f of frameOf.values()) {
			f.match = Boolean(test) && (test(f.lines[0]) || test(f.lines[1]));
			f.g.classList.toggle('other', Boolean(test) && !f.match);
		}
		update();
	};

	/* --- the bar --------------------------------------------------------------------- */

	const ui = {};

	const buildBar = () => {
		make('rect', {class: 'page', width: '100%', height: 34}, bar);
		ui.foreign = make('foreignObject', {x: margin, y: 4, height: 28}, bar);
		const div = html('div', {}, ui.foreign);
		ui.input = html('input', {type: 'search', id: 'search', autocomplete: 'off',
			placeholder: 'search: text or /regex/   (Ctrl-F)'}, div);
		ui.reset = html('button', {id: 'reset', title: 'Esc'}, div);
		ui.reset.textContent = 'Reset';
		ui.said = html('span', {id: 'said'}, div);
		ui.input.addEventListener('input', find);
		ui.reset.addEventListener('click', clear);
	};

	const clear = () => {
		ui.input.value = '';
		reset();
		find();
	};

	/* what was found, and whether there is anything to reset */
	const update = () => {
		const searching = ui.input.value !== '';
		const zoomed = panels.some(panel => panel.zoomed !== panel.frames[0]);
		ui.reset.disabled = !searching && !zoomed;
		ui.said.textContent = ui.input.classList.contains('bad') ? 'not a regular expression' :
			!searching ? '' : 'matched: ' +
			panels.filter(panel => panel.zoomed).map(panel => {
				const sum = matched(panel), of = panel.zoomed.bytes;
				return `${size(sum)} of ${panel.name} (${(100 * sum / of).toFixed(1)} %)`;
			}).join(', ') + (zoomed ? ' in view' : '');
	};

	/* --- the tooltip ----------------------------------------------------------------- */

	const tip = {};

	const buildTip = () => {
		tip.g = make('g', {id: 'tip', class: 'gone'}, root);
		tip.rect = make('rect', {rx: 4}, tip.g);
		tip.text = make('text', {}, tip.g);
	};

	const showTip = f => {
		tip.text.textContent = '';
		f.lines.forEach((line, i) => {
			const t = make('tspan', {x: 10, y: 18 + 16 * i}, tip.text);
			if (i === 0)
				t.setAttribute('class', 'name');
			t.textContent = line || ' ';
		});
		tip.g.classList.remove('gone');
		tip.rect.setAttribute('width', tip.text.getComputedTextLength ?
			tip.text.getBBox().width + 20 : 300);
		tip.rect.setAttribute('height', 16 * f.lines.length + 12);
	};

	const moveTip = event => {
		const box = tip.g.getBBox();
		let x = event.clientX + 14, y = event.clientY + 16;
		if (x + box.width > window.innerWidth - 4)
			x = Math.max(4, window.innerWidth - box.width - 4);
		if (y + box.height > window.innerHeight - 4)
			y = Math.max(4, event.clientY - box.height - 10);
		tip.g.setAttribute('transform',
			`translate(${x + window.scrollX}, ${y + window.scrollY})`);
	};

	/* the same stack in the other graph */
	const twin = (f, on) => panels.forEach(panel => {
		const other = panel !== f.panel && panel.byId.get(f.id);
		if (other)
			other.g.classList.toggle('same', on);
	});

	let hovered = null;
	const hover = f => {
		if (f === hovered)
			return;
		if (hovered)
			twin(hovered, false);
		hovered = f;
		tip.g.classList.toggle('gone', !f);
		if (!f)
			return;
		twin(f, true);
		showTip(f);
	};

	/* --- events ---------------------------------------------------------------------- */

	const at = event => frameOf.get(event.target.closest && event.target.closest('.f')) || null;

	const resize = () => {
		const w = Math.max(400, root.clientWidth || window.innerWidth);
		root.setAttribute('width', w);
		width = w - 2 * margin;
		ui.foreign.setAttribute('width', width);
		panels.forEach(layout);
	};

	const stick = () => bar.setAttribute('transform',
		`translate(0, ${Math.max(barTop, window.scrollY)})`);

	const measure = () => {
		const f = panels.map(panel => panel.frames[0]).find(Boolean);
		if (!f)
			return;
		f.text.textContent = 'M'.repeat(40);
		cell = f.text.getComputedTextLength() / 40 || cell;
	};

	root.removeAttribute('viewBox');
	buildBar();
	buildTip();
	measure();
	resize();
	stick();
	update();

	root.addEventListener('click', event => {
		const f = at(event);
		if (f)
			zoom(f);
	});
	root.addEventListener('pointermove', event => {
		const f = at(event);
		hover(f);
		if (f)
			moveTip(event);
	});
	root.addEventListener('pointerleave', () => hover(null));
	window.addEventListener('resize', resize);
	window.addEventListener('scroll', stick);
	window.addEventListener('keydown', event => {
		/* a second Ctrl-F is the browser's own */
		if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'f' &&
		    document.activeElement !== ui.input) {
			event.preventDefault();
			ui.input.focus();
			ui.input.select();
		} else if (event.key === 'Escape') {
			clear();
		}
	});
})();
