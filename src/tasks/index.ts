/** What a task author imports. */
export { AbortRunError } from './abort-run-error.ts';
export { defineTask, type RunContext, type Task, type TaskDefinition } from './define-task.ts';
export type { PayloadParser } from './parse-payload.ts';
export type { InMessage } from './session/message.ts';
export type { ChannelOptions, RunSession, SessionChannel } from './session/run-session.ts';
export { SessionError, type SessionErrorCode } from './session/session-error.ts';
export type { SessionIn, WaitOptions } from './session/session-in.ts';
export type {
  Appended,
  AppendOptions,
  ControlOptions,
  MainOut,
  Piped,
  SessionOut,
  TurnCompleteOptions,
} from './session/session-out.ts';
export type { StandardSchema } from './standard-schema.ts';
export { AttemptStopped, type StopReason } from './stop.ts';
export type { TaskLog, WorkerLog } from './task-log.ts';
export { type StartTaskWorkerOptions, startTaskWorker, type TaskWorker } from './task-worker.ts';
export { InvalidWorkerOptions, type TemporalOptions } from './worker-settings.ts';
