// planted: lint eslint(no-console)
export function shout(): void {
  console.log('here');
}
