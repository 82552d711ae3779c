//! RECORD=host: a listed process and its host in an interval. Percent; sizes in GB.

crate::field::fields! {
    HOST_NAME "host_name" Word "host.hostname" "host name";
    HOST_CPU "host_cpu" Hundredths "host.cpu.pct" "CPU use of the host in percent";
    HOST_CPU_CORE "host_cpu_core" Count "host.cpu.cores" "number of CPUs";
    HOST_MEM "host_mem" Hundredths "host.memory.pct" "memory use in percent";
    HOST_MEM_USAGE "host_mem_usage" Hundredths "host.memory.used_gb" "memory used in GB";
    HOST_MEM_TOTAL "host_mem_total" Hundredths "host.memory.total_gb" "memory in GB";
    HOST_LOAD "host_load" Hundredths "host.load.5" "load average of 5 minutes";
    HOST_WA "host_wa" Hundredths "host.cpu.iowait_pct" "time waiting for I/O in percent";
    HOST_DISK "host_disk" Hundredths "host.disk.pct" "disk use in percent";
    HOST_DISK_USE "host_disk_use" Hundredths "host.disk.used_gb" "disk used in GB";
    HOST_DISK_TOTAL "host_disk_total" Hundredths "host.disk.total_gb" "disk size in GB";
    PROC_NAME "proc_name" Word "process.name" "name of the process";
    PROC_PID "proc_pid" Count "process.pid" "its id";
    PROC_STS "proc_sts" Word "process.state" "its state, a letter as in ps(1)";
    PROC_CPU "proc_cpu" Hundredths "process.cpu.pct" "its CPU use in percent of one CPU";
    PROC_MEM "proc_mem" Hundredths "process.memory.pct" "its memory in percent";
    SELF_CPU "self_cpu" Hundredths "mfnano.self.cpu_pct" "CPU use of the probe in percent of one CPU";
    SELF_MEM "self_mem" Hundredths "mfnano.self.mem_pct" "memory of the probe in percent";
    SYS_INFO "sys_info" Word "host.os.kernel" "operating system and kernel";
}
