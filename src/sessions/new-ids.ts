import { randomBytes } from 'node:crypto';
import {
  type EnvironmentId,
  environmentIdOf,
  idBody,
  type RunId,
  runIdOf,
  type SessionId,
  sessionIdOf,
  type WaitpointId,
  waitpointIdOf,
} from '../domain/ids.ts';

const newBody = (): string => idBody(Date.now(), randomBytes(16));

export const newSessionId = (): SessionId => sessionIdOf(newBody());
export const newRunId = (): RunId => runIdOf(newBody());
export const newWaitpointId = (): WaitpointId => waitpointIdOf(newBody());
export const newEnvironmentId = (): EnvironmentId => environmentIdOf(newBody());

/** Seven characters, as clients' own writers make them: readers tell records of one stream apart by it. */
export const newRecordId = (): string => randomBytes(6).toString('base64url').slice(0, 7);
