/** Task files, in TypeScript or JavaScript, and the tasks that they export. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isTask, type Task } from './define-task.ts';

/**
 * @param files paths, relative to the working directory or absolute
 * @throws Error when a file is not there, fails as it is loaded, or exports no task
 */
export async function importTaskFiles(files: readonly string[]): Promise<readonly Task[]> {
  const paths = files.map((file) => resolve(file));
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (found === null || !found.isFile()) throw new Error(`there is no task file ${path}`);
  }
  if (paths.some((path) => /\.[cm]?tsx?$/.test(path))) {
    // Loaded only when needed: plain JavaScript starts without the compiler.
    const { register } = await import('tsx/esm/api');
    register();
  }
  const tasks: Task[] = [];
  for (const path of paths) {
    const exported: Record<string, unknown> = await import(pathToFileURL(path).href);
    const found = [...new Set(Object.values(exported))].filter(isTask);
    if (found.length === 0) throw new Error(`${path} exports no task: export const mine = defineTask({ ... })`);
    tasks.push(...found);
  }
  return tasks;
}
