/** `perdure tasks` in processes of their own, and what their logs say of the attempts that they served. */
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { type Site, siteEnvironment, type TestServer } from '../harness/server.ts';

export interface TaskProcess extends PerdureProcess {
  /** Attempts whose function began, in order. */
  servings(): Serving[];
  /** Log lines with this message that concern the run. */
  said(message: string, runId: string): LogLine[];
}

export interface Serving {
  readonly runId: string;
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

interface LogLine {
  readonly msg: string;
  readonly time: string;
  readonly runId?: string;
  readonly attempt?: number;
  readonly why?: string;
}

export interface TaskProcessOptions {
  readonly site: Site;
  readonly server: Pick<TestServer, 'url'>;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Serves the task `steady`; resolves when it takes runs. */
export async function startTaskProcess(options: TaskProcessOptions): Promise<TaskProcess> {
  const { site, server, environment } = options;
  const { TEMPORAL_ADDRESS = '', TEMPORAL_NAMESPACE = '' } = siteEnvironment(site);
  const started = await startProcess({
    command: ['tasks', 'test/tasks/programs/steady.ts'],
    environment: {
      TEMPORAL_ADDRESS,
      TEMPORAL_NAMESPACE,
      TRIGGER_SECRET_KEY: site.devKey,
      TRIGGER_API_URL: server.url,
      ...environment,
    },
  });
  const saidBy = (message: string) => logLines(started.lines).filter(({ msg }) => msg === message);
  return Object.assign(started, {
    servings: () =>
      saidBy('serving').map(({ runId = '', attempt = 0, time }) => ({ runId, attempt, atMs: Date.parse(time) })),
    said: (message: string, runId: string) => saidBy(message).filter((line) => line.runId === runId),
  });
}

/** What else a process writes is none of ours. */
function logLines(lines: readonly string[]): LogLine[] {
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
}
