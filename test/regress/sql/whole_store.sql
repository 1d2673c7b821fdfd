-- What all the other tests have left behind is sound; this one runs last.
SELECT * FROM kvs.check() WHERE severity = 'error';
