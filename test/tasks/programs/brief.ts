/** Another task, for a worker that knows no other. */
import { defineTask } from '../../../src/tasks/index.ts';

export const brief = defineTask({ id: 'brief', run: (_payload, { attempt }) => ({ pid: process.pid, attempt }) });
