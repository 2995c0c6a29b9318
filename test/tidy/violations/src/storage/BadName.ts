// planted: lint unicorn(filename-case)
export const badName = 'BadName';
