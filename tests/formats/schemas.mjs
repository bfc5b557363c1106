// SPDX-License-Identifier: MIT
//
// Validates documents against their schemas: speedscope's own, from its package, and ours.
//
// usage: schemas.mjs FOLDER OUR_SCHEMA     FOLDER: *.speedscope.json, *.profile.json, node_modules
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

const [folder, ours] = process.argv.slice(2);
const require = createRequire(path.resolve(folder, 'package.json'));
const read = file => JSON.parse(fs.readFileSync(file, 'utf8'));
const theirs = path.join(path.dirname(require.resolve('speedscope/package.json')),
	'dist/release/file-format-schema.json');
let failed = 0, checked = 0;

const say = (ok, name, why) => {
	checked++;
	failed ||= ok ? 0 : 1;
	console.log(ok ? `ok ${name}` : `not ok ${name}: ${why}`);
};

const validator = file => {
	const schema = read(file);
	const Ajv = require(/2020-12/.test(schema.$schema) ? 'ajv/dist/2020' : 'ajv');
	return new (Ajv.default ?? Ajv)({strict: false, allErrors: true}).compile(schema);
};

const validate = (suffix, schema) => {
	const valid = validator(schema);
	for (const file of fs.readdirSync(folder).filter(name => name.endsWith(suffix))) {
		const ok = valid(read(path.join(folder, file)));
		say(ok, file, valid.errors?.slice(0, 3).map(e => `${e.instancePath} ${e.message}`).join('; '));
		/* a schema that everything fits would say nothing */
		const broken = read(path.join(folder, file));
		delete broken[suffix === '.profile.json' ? 'kind' : 'shared'];
		say(!valid(broken), `${file}, a member removed`, 'valid all the same');
	}
};

// What the schema cannot say: frames exist, and weights add up to endValue.
const addUp = file => {
	const doc = read(path.join(folder, file));
	for (const p of doc.profiles) {
		const sum = p.weights.reduce((a, b) => a + b, 0);
		const known = p.samples.flat().every(i => i >= 0 && i < doc.shared.frames.length);
		say(known && p.samples.length === p.weights.length && sum === p.endValue - p.startValue,
			`${file}: ${p.name}`, `${sum} of ${p.endValue}`);
	}
};

validate('.speedscope.json', theirs);
validate('.profile.json', ours);
fs.readdirSync(folder).filter(name => name.endsWith('.speedscope.json')).forEach(addUp);
process.exit(failed || checked < 4 ? 1 : 0);
