# numpy with its threads: matrix products, linear algebra, random numbers, mapped files.
cat > t.py <<'END'
import numpy, threading
a = numpy.random.default_rng(1).random((500, 500))
print('ok' if numpy.allclose(a @ numpy.linalg.inv(a), numpy.eye(500)) else 'not ok', 'blas-threads')
results = []
threads = [threading.Thread(target=lambda: results.append(float(numpy.linalg.norm(a @ a)))) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print('ok' if len({round(r, 3) for r in results}) == 1 and len(results) == 8 else 'not ok', 'products-in-threads')
mapped = numpy.memmap('m', dtype='f4', mode='w+', shape=(1000,))
mapped[:] = 1
mapped.flush()
print('ok' if mapped.sum() == 1000 else 'not ok', 'memmap')
numpy.save('n.npy', a)
print('ok' if numpy.array_equal(numpy.load('n.npy'), a) else 'not ok', 'save')
END
check asks-for-64-threads '4.0' 'OPENBLAS_NUM_THREADS=64 /usr/bin/python3 -c "import numpy; a = numpy.ones((4, 400)); print((a @ a.T / 100)[0][0])"'
/usr/bin/python3 t.py
