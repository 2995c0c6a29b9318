import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importTaskFiles } from '../../src/tasks/import-task-files.ts';

const module = fileURLToPath(new URL('../../src/tasks/define-task.ts', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perdure-task-files-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `import { defineTask } from ${JSON.stringify(module)};\n${text}`);
  return path;
}

const idsOf = async (...files: string[]): Promise<string[]> => (await importTaskFiles(files)).map((task) => task.id);

test('every exported task is found once, under whatever name', async () => {
  const path = await file(
    'many.ts',
    `export const first: { id: string } = defineTask({ id: 'first', run: () => null });
     export default defineTask({ id: 'second', run: () => null });
     export { first as again };
     export const limit = 3;`,
  );
  expect((await idsOf(path)).sort()).toEqual(['first', 'second']);
});

test('several files are served together', async () => {
  const one = await file('one.ts', `export const one = defineTask({ id: 'one', run: () => null });`);
  const two = await file('two.mjs', `export const two = defineTask({ id: 'two', run: () => null });`);
  expect(await idsOf(one, two)).toEqual(['one', 'two']);
});

test('a file that is not there is named', async () => {
  await expect(importTaskFiles([join(folder, 'none.ts')])).rejects.toThrow(`there is no task file ${folder}/none.ts`);
});

test('a folder is not a task file', async () => {
  await expect(importTaskFiles([folder])).rejects.toThrow('there is no task file');
});

test('a file without a task is named', async () => {
  const path = await file('empty.ts', 'export const limit = 3;');
  await expect(importTaskFiles([path])).rejects.toThrow(`${path} exports no task`);
});
