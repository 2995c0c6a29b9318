// planted: lint typescript(no-misused-promises)
const store = async (_row: string): Promise<void> => {};

export function storeAll(rows: readonly string[]): void {
  rows.forEach(async (row) => {
    await store(row);
  });
}
