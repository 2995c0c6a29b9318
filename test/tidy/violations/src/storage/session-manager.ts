// planted: tidy banned-name
export class SessionManager {
  readonly name = 'vague';
}
