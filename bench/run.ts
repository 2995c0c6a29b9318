/** `npm run bench [name] [-- --quick] [-- --json]`: side-by-side tables, each with its baselines from the same run. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchCreate } from './create/create-bench.ts';
import { renderCreate } from './create/render-create.ts';

const benches = {
  create: async (quick: boolean, json: boolean) => {
    const report = await benchCreate({ quick, say });
    return json ? JSON.stringify(report) : renderCreate(report);
  },
} as const;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
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
process.exit(0);
