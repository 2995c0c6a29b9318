import { randomBytes } from 'node:crypto';
import {
  type EnvironmentId,
  environmentIdOf,
  idBody,
  type RunId,
  runIdOf,
  type SessionId,
  sessionIdOf,
} from '../domain/ids.ts';

const newBody = (): string => idBody(Date.now(), randomBytes(16));

export const newSessionId = (): SessionId => sessionIdOf(newBody());
export const newRunId = (): RunId => runIdOf(newBody());
export const newEnvironmentId = (): EnvironmentId => environmentIdOf(newBody());
