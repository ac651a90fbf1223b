# Makes 6,000 empty files. Must end in disk_limit where there may not be so many. The pause is for the tier that counts
# them now and then.
mkdir d && cd d && python3 -c '
import time
for i in range(6000): open(str(i), "w").close()
time.sleep(4)' && echo done
