/** The part of a logger that tasks and their worker use; pino's loggers have it. */
export interface TaskLog {
  debug(message: string): void;
  debug(fields: object, message: string): void;
  info(message: string): void;
  info(fields: object, message: string): void;
  warn(message: string): void;
  warn(fields: object, message: string): void;
  error(message: string): void;
  error(fields: object, message: string): void;
}

export interface WorkerLog extends TaskLog {
  /** A logger whose lines carry these fields too. */
  child(fields: Record<string, unknown>): TaskLog;
}
