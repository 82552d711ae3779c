import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.ServerVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

/** A MongoDB in memory: `java -cp ... Server.java PORT [ADDRESS]`. */
class Server {
    public static void main(String[] args) {
        var backend = new MemoryBackend();
        backend.version(ServerVersion.MONGO_5_0);
        var server = new MongoServer(backend);
        server.bind(args.length > 1 ? args[1] : "127.0.0.1", Integer.parseInt(args[0]));
        System.out.println("ready");
    }
}
