// SPDX-License-Identifier: MIT
//
// Opens the flame graphs in a real browser, clicks and searches in them, and compares what changed.
//
// usage: browser.mjs chrome|firefox EXECUTABLE FOLDER     FOLDER: sampled.svg, hostile.svg, many.svg,
//                                                         empty.svg, map-*.svg; screenshots are
//                                                         written to it
import assert from 'node:assert/strict';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {createRequire} from 'node:module';

const [kind, executablePath, folder] = process.argv.slice(2);
const require = createRequire(path.resolve(folder, 'package.json'));
const {default: puppeteer} = await import(pathToFileURL(require.resolve('puppeteer-core')));

const flags = {
	chrome: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
		'--disable-background-networking', '--disable-component-update', '--disable-sync'],
	firefox: [],
};
const browser = await puppeteer.launch({browser: kind, executablePath, headless: true,
	args: flags[kind]});
let failed = 0;

// What went wrong in the page counts as much as what the test compares.
const open = async (name, {width = 1400, height = 900, dark = false} = {}) => {
	const page = await browser.newPage();
	page.wrong = [];
	page.on('pageerror', e => page.wrong.push(`error: ${e.message}`));
	page.on('console', m => m.type() === 'error' && page.wrong.push(`console: ${m.text()}`));
	page.on('dialog', async d => {
		page.wrong.push(`dialog: ${d.message()}`);
		await d.dismiss();
	});
	page.on('request', r => r.url().startsWith('file:') ||
		page.wrong.push(`request: ${r.url()}`));
	await page.setViewport({width, height});
	if (dark)
		await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: 'dark'}]);
	await page.goto(pathToFileURL(path.resolve(folder, name)).href);
	return page;
};

const test = async (name, run) => {
	try {
		await run();
		console.log(`ok ${kind}: ${name}`);
	} catch (e) {
		failed = 1;
		console.log(`not ok ${kind}: ${name}: ${e.message.split('\n').slice(0, 12).join(' | ')}`);
	}
};

const done = async page => {
	assert.deepEqual(page.wrong, []);
	await page.close();
};

const shot = (page, name) => page.screenshot({path: path.resolve(folder, `${kind}-${name}.png`)});

// Of every frame what a person sees of it; boxes of the browser would have its outline too.
const frames = page => page.evaluate(() => [...document.querySelectorAll('.f')].map(g => {
	const rect = g.querySelector('rect');
	return {
		panel: g.parentNode.dataset.name, label: g.querySelector('text').textContent,
		start: Number(g.dataset.a), bytes: Number(g.dataset.n), depth: Number(g.dataset.d),
		shown: getComputedStyle(g).display !== 'none',
		x: Number(rect.getAttribute('x')), width: Number(rect.getAttribute('width')),
		y: Number(rect.getAttribute('y')),
		faded: Number(getComputedStyle(g).opacity) < 1, fill: getComputedStyle(rect).fill,
	};
}));

const find = (all, panel, label) => all.find(f => f.panel === panel && f.label.startsWith(label));

// The middle of what is seen of a frame.
const point = (page, f) => [f.x + f.width / 2, f.y + 8];
const click = async (page, f) => {
	await page.mouse.click(...point(page, f));
	/* Firefox looks for what is below the pointer in what it last painted */
	await page.evaluate(() => new Promise(done =>
		requestAnimationFrame(() => requestAnimationFrame(done))));
};
const said = page => page.$eval('#said', e => e.textContent);

const search = async (page, text) => {
	await page.focus('#search');
	await page.$eval('#search', e => e.select());
	await page.keyboard.press('Backspace');
	await page.keyboard.type(text);
};

// Bytes of a panel below the outermost frames for which is_match holds.
const expected = (all, panel, isMatch) => {
	let sum = 0, end = 0;
	for (const f of all.filter(g => g.panel === panel))
		if (f.start >= end && isMatch(f)) {
			sum += f.bytes;
			end = f.start + f.bytes;
		}
	return sum;
};

await test('fits the window, growth above shrinkage, in different colours', async () => {
	const page = await open('sampled.svg');
	const all = await frames(page);
	const growth = find(all, 'growth', 'all growth'), shrink = find(all, 'shrinkage', 'all shrinkage');
	assert.ok(growth.width > 1340 && growth.width <= 1400, `width ${growth.width}`);
	assert.equal(growth.width, shrink.width);
	assert.ok(growth.y < shrink.y);
	const cause = find(all, 'growth', '[no');
	const fills = panel => new Set(all.filter(f => f.panel === panel && f.fill !== cause.fill)
		.map(f => f.fill));
	assert.ok(fills('growth').size > 3);
	assert.deepEqual([...fills('growth')].filter(c => fills('shrinkage').has(c)), []);
	assert.equal(all.filter(f => f.fill === cause.fill).length, 4);
	const [r, g, b] = cause.fill.match(/\d+/g).map(Number);
	assert.ok(Math.max(r, g, b) - Math.min(r, g, b) < 16, 'causes are grey');
	await shot(page, 'sampled');
	await done(page);
});

await test('a click zooms, Reset goes back', async () => {
	const page = await open('sampled.svg');
	const before = await frames(page);
	const f = find(before, 'growth', 'list_orders'), whole = before[0].width;
	await click(page, f);
	const zoomed = await frames(page);
	const now = find(zoomed, 'growth', 'list_orders');
	assert.ok(Math.abs(now.width - whole) < 0.1);
	assert.ok(zoomed.filter(g => g.panel === 'growth' && g.depth < f.depth && g.shown)
		.every(g => g.faded && Math.abs(g.width - whole) < 0.1));
	assert.ok(!find(zoomed, 'growth', 'Thread._boot')?.shown);
	const inside = zoomed.filter(g => g.panel === 'growth' && g.depth === f.depth + 1 && g.shown);
	assert.equal(inside.length, 3);
	assert.ok(Math.abs(inside.reduce((sum, g) => sum + g.width, 0) - whole) < 0.5);
	assert.match(find(zoomed, 'growth', 'list_orders.<locals>').label, /<listcomp>/);
	const rest = list => list.filter(g => g.panel === 'shrinkage');
	assert.deepEqual(rest(zoomed), rest(before));
	await shot(page, 'zoomed');
	await page.click('#reset');
	assert.deepEqual(await frames(page), before);
	await done(page);
});

await test('search by text and by regular expression', async () => {
	const page = await open('sampled.svg');
	const before = await frames(page);
	const mib = bytes => `${(bytes / 1048576).toFixed(1)} MiB`;
	const line = isMatch => 'matched: ' + ['growth', 'shrinkage'].map(panel => {
		const sum = expected(before, panel, isMatch);
		const of = before.find(f => f.panel === panel).bytes;
		return `${mib(sum)} of ${panel} (${(100 * sum / of).toFixed(1)} %)`;
	}).join(', ');

	await search(page, 'DECODER.raw');
	assert.equal(await said(page), line(f => f.label.startsWith('JSONDecoder')));
	const found = await frames(page);
	assert.ok(found.every(f => f.faded === !f.label.startsWith('JSONDecoder')));
	await search(page, '/^walk$/');
	assert.equal(await said(page), 'matched: 6.0 MiB of growth (3.2 %), 0 B of shrinkage (0.0 %)');
	await search(page, '/srv/shop/views/orders.py');
	assert.match(await said(page), /^matched: 120\.0 MiB of growth/);
	await shot(page, 'searched');
	await search(page, '/(/');
	assert.equal(await said(page), 'not a regular expression');
	await page.keyboard.press('Escape');
	assert.equal(await said(page), '');
	assert.deepEqual(await frames(page), before);
	await done(page);
});

await test('search says what is matched of what is zoomed to', async () => {
	const page = await open('sampled.svg');
	await click(page, find(await frames(page), 'growth', 'Router.dispatch'));
	await search(page, 'thumbnail');
	assert.match(await said(page), /^matched: 18\.0 MiB of growth \(13\.0 %\), .* in view$/);
	await done(page);
});

await test('Ctrl-F goes to the search', async () => {
	const page = await open('sampled.svg');
	await page.keyboard.down('Control');
	await page.keyboard.press('f');
	await page.keyboard.up('Control');
	await page.keyboard.type('evict');
	assert.match(await said(page), /31\.0 MiB of shrinkage/);
	await done(page);
});

await test('the tooltip has place and figures, and stays within the window', async () => {
	const page = await open('sampled.svg');
	const all = await frames(page);
	const tip = async () => page.evaluate(() => ({
		lines: [...document.querySelectorAll('#tip tspan')].map(t => t.textContent),
		box: document.querySelector('#tip').getBoundingClientRect().toJSON(),
		shown: getComputedStyle(document.querySelector('#tip')).display !== 'none',
		twins: document.querySelectorAll('.same').length,
	}));
	assert.equal((await tip()).shown, false);
	await page.mouse.move(...point(page, find(all, 'growth', 'Cache.evict')));
	const over = await tip();
	assert.equal(over.shown, true);
	assert.deepEqual(over.lines.slice(0, 2), ['Cache.evict', '/srv/shop/cache.py:90']);
	assert.match(over.lines[2], /^growth \+14\.0 MiB \(7\.4 %\)/);
	assert.match(over.lines[3], /^shrinkage −31\.0 MiB \(58\.5 %\)/);
	assert.match(over.lines[4], /^net −17\.0 MiB, .*360 samples/);
	assert.equal(over.twins, 1);
	await shot(page, 'tooltip');
	await page.mouse.move(1395 - 12, find(all, 'growth', 'pid 4250').y + 8);
	const edge = await tip();
	assert.ok(edge.box.right <= 1400 && edge.box.left >= 0);
	await page.mouse.move(700, 20);
	assert.equal((await tip()).shown, false);
	await done(page);
});

await test('names are text, whatever they are', async () => {
	const page = await open('hostile.svg');
	assert.equal(await page.evaluate(() => document.querySelectorAll('script').length), 1);
	assert.equal(await page.evaluate(() =>
		document.querySelectorAll('[onload], x, image, a').length), 0);
	await search(page, '</title></g><script>');
	assert.match(await said(page), /^matched: 32\.0 MiB of growth/);
	const f = find(await frames(page), 'growth', '</title>');
	await click(page, f);
	await page.mouse.move(...point(page, {...f, x: 10, width: 1300}));
	const lines = await page.evaluate(() =>
		[...document.querySelectorAll('#tip tspan')].map(t => t.textContent));
	assert.equal(lines[0], '</title></g><script>alert(1)</script>');
	await shot(page, 'hostile');
	await done(page);
});

await test('a page of many frames is quick, and its bar stays in sight', async () => {
	const page = await open('many.svg', {width: 1000, height: 700});
	const all = await frames(page);
	assert.ok(all.length > 3000 && all.length < 25000, `${all.length} frames`);
	const began = Date.now();
	await search(page, 'step_1');
	await page.evaluate(() => document.querySelector('#search').blur());
	await page.evaluate(() => window.scrollTo(0, 500));
	await page.waitForFunction(() => window.scrollY === 500 &&
		Math.abs(document.querySelector('#bar').getBoundingClientRect().y) < 1);
	await shot(page, 'many');
	assert.ok(Date.now() - began < 20000);
	await done(page);
});

await test('nothing recorded is a page too', async () => {
	const page = await open('empty.svg');
	assert.equal((await frames(page)).length, 0);
	assert.match(await page.evaluate(() => document.documentElement.textContent), /none was seen/);
	await search(page, 'x');
	await shot(page, 'empty');
	await done(page);
});

if (kind === 'chrome')
	await test('a dark and narrow window', async () => {
		const page = await open('sampled.svg', {width: 700, height: 600, dark: true});
		const all = await frames(page);
		assert.ok(all[0].width < 700 && all[0].width > 640);
		await shot(page, 'dark');
		await done(page);
	});

await test('the map of memory: shades, tooltips, nothing beside itself', async () => {
	for (const name of ['fragmented', 'hostile', 'many', 'sparse', 'empty']) {
		const page = await open(`map-${name}.svg`, {width: 1200, height: 1400});
		const seen = await page.evaluate(() => {
			const box = e => e.getBoundingClientRect();
			const rects = [...document.querySelectorAll('.cells rect')];
			const texts = [...document.querySelectorAll('text')];
			return {
				rects: rects.length,
				titled: rects.filter(r => r.querySelector('title').textContent).length,
				fills: [...new Set(rects.map(r => getComputedStyle(r).fill))].length,
				right: Math.max(0, ...texts.map(t => box(t).right), ...rects.map(r => box(r).right)),
				low: Math.max(...texts.map(t => box(t).bottom)),
				height: box(document.documentElement).height,
				scripts: document.querySelectorAll('script').length,
				labels: texts.filter(t => t.classList.contains('row') &&
					!t.classList.contains('end')).map(t => [box(t).left, box(t).right]),
			};
		});
		assert.equal(seen.titled, seen.rects);
		assert.equal(seen.rects > 0, name !== 'empty');
		assert.ok(name !== 'fragmented' || seen.fills >= 6, `${seen.fills} shades`);
		assert.ok(seen.right <= 1200 && seen.low <= seen.height, `${seen.right} ${seen.low}`);
		assert.equal(seen.scripts, 0);
		/* neither the address nor the name of a row is beneath its cells, or its size */
		assert.ok(seen.labels.every(([left, right]) => right < 108 || (left > 940 && right < 1078)),
			JSON.stringify(seen.labels.slice(0, 4)));
		await shot(page, `map-${name}`);
		await done(page);
	}
	if (kind !== 'chrome')
		return;
	const page = await open('map-fragmented.svg', {dark: true});
	await shot(page, 'map-dark');
	await done(page);
});

await browser.close();
process.exit(failed);
