/**
 * `npm run bench [name] [-- --quick] [-- --json]`: side-by-side tables, each with its baselines from the same run.
 * `--part` (append only: loops, tails, replay; repeatable) leaves the other parts out.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { appendParts, benchAppend } from './append/append-bench.ts';
import { renderAppend } from './append/render-append.ts';
import { targetsOf } from './append/targets.ts';
import { benchCreate } from './create/create-bench.ts';
import { renderCreate } from './create/render-create.ts';

const benches = {
  create: async (quick: boolean, json: boolean) => {
    const report = await benchCreate({ quick, say });
    return json ? JSON.stringify(report) : renderCreate(report);
  },
  append: async (quick: boolean, json: boolean) => {
    const report = await benchAppend({ quick, say, parts: appendParts.filter((part) => values.part.includes(part)) });
    const { lost, duplicate, altered } = report.faults;
    if (lost + duplicate + altered > 0) process.exitCode = 1;
    return json ? JSON.stringify({ ...report, targets: targetsOf(report) }) : renderAppend(report);
  },
} as const;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    part: { type: 'string', multiple: true, default: [] },
  },
});
const unknown = positionals.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  say(`no bench is called ${unknown.join(', ')}; there is: ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
// What is measured is what is shipped.
const build = fileURLToPath(new URL('../scripts/build.mjs', import.meta.url));
execFileSync(process.execPath, [build], { stdio: ['ignore', process.stderr, process.stderr] });
for (const [name, bench] of Object.entries(benches)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  process.stdout.write(`${await bench(values.quick, values.json)}\n`);
}
process.exit();
