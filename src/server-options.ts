/** What a server process is asked to be. */
import type { Config } from './config.ts';
import type { Log } from './observe/log.ts';
import type { WorkflowSource } from './workflow-source.ts';

export interface ServerOptions {
  readonly config: Config;
  /** What this process does; the embedded engines are started when the config names no others. */
  readonly roles: { readonly api: boolean; readonly sessionWorker: boolean };
  readonly log: Log;
  /** Default: bundled by the build, or the sources when those are what runs. */
  readonly workflows?: WorkflowSource;
  /** One line for each step that may take long. */
  readonly onProgress: (line: string) => void;
  /** A part that the process cannot do without has ended by itself. */
  readonly onFatal: (reason: string) => void;
}
