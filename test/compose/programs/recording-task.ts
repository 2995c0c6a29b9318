/** A task whose executions can be counted across processes: each appends one line to the file RECORD_FILE. */
import { existsSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineTask } from '../../../src/tasks/index.ts';

export const record = defineTask({
  id: 'record',
  /** `until` is a file: the run lasts until it is there. */
  parse: ({ until }) => {
    if (typeof until !== 'string') throw new Error('until: expected a path');
    return { until };
  },
  run: async ({ until }, { session, run, attempt, signal }) => {
    const file = process.env['RECORD_FILE'];
    if (file === undefined) throw new Error('RECORD_FILE: required');
    await appendFile(file, `${JSON.stringify({ sessionId: session.id, runId: run.id, attempt, pid: process.pid })}\n`);
    while (!existsSync(until)) await sleep(25, undefined, { signal });
  },
});
