# The compiler and a program with threads, collections, files, a child and garbage.
cat > Main.java <<'END'
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
public class Main {
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
        case "threads":
            ExecutorService pool = Executors.newFixedThreadPool(8);
            int sum = 0;
            for (Future<Integer> square : pool.invokeAll(IntStream.range(0, 5).mapToObj(n -> (Callable<Integer>) () -> n * n).collect(Collectors.toList()))) sum += square.get();
            pool.shutdown();
            System.out.println(sum + IntStream.range(0, 1000).parallel().sum());
            break;
        case "files":
            Path file = Files.createTempFile("x", ".txt");
            Files.writeString(file, "text");
            System.out.println(Files.readString(file));
            Files.delete(file);
            break;
        case "child":
            System.out.print(new String(new ProcessBuilder("sh", "-c", "echo child").start().getInputStream().readAllBytes()));
            break;
        case "garbage":
            long made = 0;
            List<byte[]> kept = new ArrayList<>();
            for (int i = 0; i < 20_000; i++) {
                kept.add(new byte[50_000]);
                made += 50_000;
                if (kept.size() > 1000) kept.subList(0, 500).clear();
            }
            System.out.println(made);
        }
    }
}
END
check version '1' 'java -version 2>&1 | grep -c "^OpenJDK Runtime"'
check javac '' 'javac Main.java'
check threads '499530' 'java Main threads'
check child-process 'child' 'java Main child'
check temporary-files 'text' 'java Main files'
check temporary-files-where-told 'text' 'java -Djava.io.tmpdir=$TMPDIR Main files'
check garbage-with-a-heap-that-fits '1000000000' 'java -Xmx256m Main garbage'
# Outside, every JVM leaves this directory behind.
rmdir "/tmp/hsperfdata_$(id -un)" 2>/dev/null || true
