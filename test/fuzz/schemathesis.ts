/** Schemathesis, in a process of its own: requests made of the API document, and answers held against it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { installPython } from '../harness/python-packages.ts';

export const installedFuzzer = (): Promise<string> =>
  installPython(fileURLToPath(new URL('requirements.txt', import.meta.url)));

export interface FuzzOrder {
  readonly url: string;
  readonly credential: string;
  readonly seed: number;
  /** Coverage walks every keyword of every schema, the others are random; stateful goes on with what answers gave. */
  readonly phases: readonly ('coverage' | 'fuzzing' | 'stateful')[];
  /** For each operation. */
  readonly cases: number;
  /** Nothing new begins after it; null leaves the number of cases as the only bound, and so the same on each machine. */
  readonly secondsMax: number | null;
  /** In place of the document that the server itself shows. */
  readonly document?: unknown;
  /** What exists, by the name of a parameter (`path.session`); other values are tried, too. */
  readonly known: Readonly<Record<string, readonly string[]>>;
}

export interface FuzzReport {
  readonly complete: boolean;
  readonly operations: { readonly total: number; readonly tested: number; readonly errored: number };
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly { readonly title: string; readonly operations: readonly string[] }[];
  readonly errors: readonly unknown[];
  /** By operation and phase: how many cases got past what is wrong with them. */
  readonly valid_rates: Readonly<Record<string, Readonly<Record<string, { readonly accepted: number }>>>>;
  /** For people: each failure with a command that repeats it. */
  readonly text: string;
}

export async function fuzz(order: FuzzOrder): Promise<FuzzReport> {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-fuzz-'));
  const report = join(folder, 'report.json');
  try {
    await writeFile(join(folder, 'schemathesis.toml'), settingsOf(order));
    if (order.document !== undefined) await writeFile(join(folder, documentName), JSON.stringify(order.document));
    const child = spawn('python3', ['-m', 'schemathesis.cli', '--no-color', 'run', ...argumentsOf(order, report)], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        PYTHONPATH: await installedFuzzer(),
        PYTHONDONTWRITEBYTECODE: '1',
      },
    });
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    const read = await readFile(report, 'utf8').catch(() => Promise.reject(new Error(output + errors)));
    return { ...(JSON.parse(read) as Omit<FuzzReport, 'text'>), text: output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const documentName = 'document.json';

const argumentsOf = (
  { url, credential, seed, phases, cases, secondsMax, document }: FuzzOrder,
  report: string,
): readonly string[] => [
  ...(document === undefined ? [`${url}/openapi.json`] : [documentName, `--url=${url}`]),
  `--header=Authorization: Bearer ${credential}`,
  `--seed=${seed}`,
  `--max-examples=${cases}`,
  // A follower that finds nothing new is answered after a second.
  '--header=Timeout-Seconds: 1',
  `--phases=${phases.join(',')}`,
  ...(secondsMax === null ? [] : [`--max-time=${secondsMax}`]),
  '--continue-on-failure',
  '--generation-database=none',
  '--request-timeout=45',
  '--report=json',
  `--report-json-path=${report}`,
];

/** Coverage draws from no dictionary: it gets the first value of each segment. */
const settingsOf = ({ known, phases }: FuzzOrder): string => `
${Object.entries(known)
  .map(([parameter, values]) => `[dictionaries."${parameter}"]\nvalues = ${JSON.stringify(values)}`)
  .join('\n')}

[parameters]
${Object.entries(known)
  .map(([parameter, [first]]) =>
    phases.includes('coverage') && parameter.startsWith('path.')
      ? `"${parameter}" = ${JSON.stringify(first)}`
      : `"${parameter}" = { dictionary = "${parameter}", probability = 0.8 }`,
  )
  .join('\n')}

# Rules that no schema can say (a session that is closed, an id that is taken) refuse what a schema allows.
[checks]
positive_data_acceptance.enabled = false
# Too large is refused before it is parsed.
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 422, 429]
`;
