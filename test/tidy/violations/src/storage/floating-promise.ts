// planted: lint typescript(no-floating-promises)
const answer = async (): Promise<number> => 42;

export function forgetAnswer(): void {
  answer();
}
