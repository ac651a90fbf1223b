# Other languages, as far as they are installed: start-up with their configuration, libraries, processes, files.
has() { command -v "$1" >/dev/null; }
check perl '{"a":1}' 'perl -MJSON::PP -MFile::Temp -e "my \$f = File::Temp->new; print encode_json({a => 1})"'
has Rscript && check r 'TRUE' 'Rscript -e "cat(t.test(c(1, 2, 3, 4))\$p.value > 0 && file.create(tempfile()))"'
has php && check php '6 true' 'php -r "echo array_sum([1, 2, 3]), chr(32), json_encode(ctype_digit(strval(1)));"'
has ruby && check ruby '{"a":3}' 'ruby -rjson -rtempfile -e "Tempfile.create(%q(x)) { fork { exit 3 }; Process.wait; puts JSON.dump({a: \$?.exitstatus}) }"'
has mvn && check maven '1' 'echo "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>b</artifactId><version>1</version></project>" > pom.xml; echo "<settings/>" > settings.xml; mvn -B -o -gs settings.xml -Duser.home=$PWD validate 2>/dev/null | grep -c "BUILD SUCCESS"'
has lua5.4 && check lua 'hi' 'lua5.4 -e "print(io.popen([[echo hi]]):read())"'
# Outside, every JVM leaves this directory behind.
rmdir "/tmp/hsperfdata_$(id -un)" 2>/dev/null || true
