-- How `GET .../records` shows a record, judged when it is stored, so that a page is put together without parsing:
-- 'envelope' as its body is, 'blank' without its body, 'hidden' not at all. Null: not judged; a reader parses the body.
ALTER TABLE records ADD COLUMN shown text;
