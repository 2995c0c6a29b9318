/**
 * A repository with one planted offence per rule, under our real configuration, and what each tool reports on it.
 * A planted file says in comments who must report it: `planted: <step> <rule>`.
 */
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runStep } from '../../scripts/run-step.mjs';
import { boundaries, deadCode, format, lint, type Step, types } from '../../scripts/steps.mjs';
import { type Repository, readRepository } from './repository.ts';
import { readBiome, readCruise, readKnip, readOxlint, readTsc, type ToolReport } from './tool-output.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const configuration = [
  'biome.json',
  '.oxlintrc.json',
  '.dependency-cruiser.cjs',
  'knip.json',
  'tsconfig.json',
  'vitest.config.ts',
];
const plantedSources = ['src', 'workflows', 'activities', 'test', 'examples'];

export interface PlantedRepository {
  readonly root: string;
  readonly repository: Repository;
  remove(): void;
}

export function plant(): PlantedRepository {
  const target = mkdtempSync(join(tmpdir(), 'perdure-planted-'));
  cpSync(join(root, 'test/tidy/violations'), target, { recursive: true });
  for (const file of configuration) cpSync(join(root, file), join(target, file));
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'));
  plantLongFiles(target);
  return {
    root: target,
    repository: readRepository(target),
    remove: () => rmSync(target, { recursive: true, force: true }),
  };
}

/** Too long to be worth reading, so they are made here. */
function plantLongFiles(target: string): void {
  const body = '  total += 1;\n'.repeat(59);
  writeFileSync(
    join(target, 'test/long-file.test.ts'),
    `// planted: lint eslint(max-lines)\n// planted: tidy long-file\nexport const lines = 301;\n${'// One more line.\n'.repeat(298)}`,
  );
  writeFileSync(
    join(target, 'examples/long-function.ts'),
    `// planted: lint eslint(max-lines-per-function)\nexport function countTo59(): number {\n  let total = 0;\n${body}  return total;\n}\n`,
  );
  writeFileSync(
    join(target, 'test/long-test.test.ts'),
    `// planted: tidy long-test\nexport const count = (): number => {\n  let total = 0;\n${body}  return total;\n};\n`,
  );
}

/** `<path> <rule>` of each offence that the step must report, sorted. */
export function expectedReports(repository: Repository, step: string): string[] {
  return [...repository.files]
    .flatMap(([path, text]) =>
      [...text.matchAll(/planted: ([a-z-]+) ([\w/()-]+)/g)]
        .filter((match) => match[1] === step)
        .map((match) => `${path} ${match[2]}`),
    )
    .toSorted();
}

interface Tool {
  readonly step: Step;
  readonly args: readonly string[];
  read(output: string): ToolReport;
}

export const tools: readonly Tool[] = [
  { step: format(plantedSources), args: ['--reporter=json'], read: readBiome },
  { step: lint(plantedSources), args: ['--format=json'], read: readOxlint },
  { step: types, args: [], read: readTsc },
  { step: boundaries(plantedSources), args: [], read: readCruise },
  { step: deadCode, args: ['--reporter=json'], read: readKnip },
];

/** The same command as the gate's, asked to answer in JSON where it still fails with an exit code then. */
export async function runTool(tool: Tool, cwd: string): Promise<ToolReport & { readonly ok: boolean }> {
  const { ok, output } = await runStep(tool.step, { cwd, extraArgs: tool.args });
  const { scanned, reports } = tool.read(output);
  return { ok, scanned, reports: [...reports].toSorted() };
}
