/** The scope grammar of public tokens: `action[:type[:id]]` (protocol section 2.4). */
export interface ScopeCheck {
  readonly action: string;
  readonly type: string;
  /** Any of these ids passes; empty for a resource declared without id. */
  readonly ids: readonly string[];
}

/** A secret key passes every check; anything else only what its scopes grant. */
export type Grant = { readonly kind: 'all' } | { readonly kind: 'scopes'; readonly scopes: readonly string[] };

export function permits(grant: Grant, checks: readonly ScopeCheck[]): boolean {
  if (grant.kind === 'all') return true;
  return grant.scopes.some((scope) => checks.some((check) => scopePermits(scope, check)));
}

/** Of what has no resource that a scope could name. */
export const permitsAll = (grant: Grant): boolean => grant.kind === 'all' || grant.scopes.includes('admin');

function scopePermits(scope: string, check: ScopeCheck): boolean {
  if (scope === 'admin') return true;
  const [action, type, id] = splitScope(scope);
  if (action !== check.action && action !== '*') return false;
  if (type === undefined || (type !== check.type && type !== 'all')) return false;
  return id === undefined || check.ids.includes(id);
}

/**
 * The scopes that would open more than the grant does. Judged by their text alone, so that a scope for a session's id
 * is beyond a key that names the session by its external id: to say no is safe.
 */
export function scopesBeyond(grant: Grant, scopes: readonly string[]): readonly string[] {
  if (grant.kind === 'all') return [];
  return scopes.filter((scope) => !grant.scopes.some((held) => covers(held, scope)));
}

/** Whether every check that `scope` passes is passed by `held` as well. */
function covers(held: string, scope: string): boolean {
  if (held === 'admin') return true;
  if (scope === 'admin') return false;
  const [action, type, id] = splitScope(held);
  const [wantedAction, wantedType, wantedId] = splitScope(scope);
  if (type === undefined || wantedType === undefined) return false;
  if (action !== '*' && action !== wantedAction) return false;
  if (type !== 'all' && type !== wantedType) return false;
  return id === undefined || id === wantedId;
}

const scopeActions = new Set(['read', 'write', 'trigger', 'admin', '*']);

/** Text that `scopePermits` can make something of: a key whose scope is mistyped would open nothing, silently. */
export function isScope(text: string): boolean {
  if (text === 'admin') return true;
  const [action, type, id] = splitScope(text);
  return scopeActions.has(action) && type !== undefined && /^[a-zA-Z]{1,64}$/.test(type) && id !== '';
}

/** Only the first two colons split: an id may contain colons. */
function splitScope(scope: string): [string, string?, string?] {
  const first = scope.indexOf(':');
  if (first < 0) return [scope];
  const second = scope.indexOf(':', first + 1);
  if (second < 0) return [scope.slice(0, first), scope.slice(first + 1)];
  return [scope.slice(0, first), scope.slice(first + 1, second), scope.slice(second + 1)];
}

export const mayCreate = (taskIdentifier: string, ids: readonly string[]): readonly ScopeCheck[] => [
  { action: 'write', type: 'sessions', ids },
  { action: 'write', type: 'tasks', ids: [taskIdentifier] },
];

export const mayReadSession = (ids: readonly string[]): readonly ScopeCheck[] => [
  { action: 'read', type: 'sessions', ids },
];

export const mayWriteSession = (ids: readonly string[]): readonly ScopeCheck[] => [
  { action: 'write', type: 'sessions', ids },
];

/** Closing and updating are for servers: a session's own token carries no such scope. */
export const mayAdministerSession = (ids: readonly string[]): readonly ScopeCheck[] => [
  { action: 'admin', type: 'sessions', ids },
];

/** A list filtered by tasks also passes with a scope for each of them; no scope for one session opens it. */
export function mayListSessions(grant: Grant, taskIdentifiers: readonly string[]): boolean {
  const mayListAll = permits(grant, [
    { action: 'read', type: 'sessions', ids: [] },
    { action: 'read', type: 'tasks', ids: [] },
  ]);
  const readsTask = (id: string) => permits(grant, [{ action: 'read', type: 'tasks', ids: [id] }]);
  return mayListAll || (taskIdentifiers.length > 0 && taskIdentifiers.every(readsTask));
}

export interface RunScopes {
  readonly runId: string;
  readonly taskIdentifier: string;
  readonly tags: readonly string[];
}

export const mayReadRun = (run: RunScopes): readonly ScopeCheck[] => [
  { action: 'read', type: 'runs', ids: [run.runId] },
  { action: 'read', type: 'tasks', ids: [run.taskIdentifier] },
  { action: 'read', type: 'tags', ids: run.tags },
];

/** Cancel it, or serve it. */
export const mayActOnRun = (run: Pick<RunScopes, 'runId' | 'taskIdentifier'>): readonly ScopeCheck[] => [
  { action: 'write', type: 'runs', ids: [run.runId] },
  { action: 'write', type: 'tasks', ids: [run.taskIdentifier] },
];
